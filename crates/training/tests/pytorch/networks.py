"""The networks of this crate as PyTorch modules, with the same names of parameters.

`network.load_state_dict(safetensors.torch.load_file("weights.safetensors"))` reads exported weights,
`safetensors.torch.save_file(network.state_dict(), "weights.safetensors")` writes what can be imported.

Images are [batch, channels, height, width], logits [batch, classes].
"""

import torch
import torch.nn as nn
import torch.nn.functional as F


def convolution(inputs, outputs, stride=1):
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)


class Mlp(nn.Module):
    def __init__(self, inputs, hidden, classes=10):
        super().__init__()
        units = [inputs, *hidden, classes]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(units, units[1:]))

    def forward(self, x):
        x = x.flatten(1)
        for index, layer in enumerate(self.layers):
            x = layer(F.relu(x) if index > 0 else x)
        return x


class Cnn(nn.Module):
    def __init__(self, shape, channels, classes=10):
        super().__init__()
        inputs, height, width = shape
        self.convs, self.norms = nn.ModuleList(), nn.ModuleList()
        for index, outputs in enumerate(channels):
            stride = 1 if index == 0 else 2
            self.convs.append(convolution(inputs, outputs, stride))
            self.norms.append(nn.BatchNorm2d(outputs))
            inputs = outputs
            height, width = -(-height // stride), -(-width // stride)
        self.fc = nn.Linear(inputs * height * width, classes)

    def forward(self, x):
        for conv, norm in zip(self.convs, self.norms):
            x = F.relu(norm(conv(x)))
        return self.fc(x.flatten(1))


class Block(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.stride = outputs // inputs
        self.conv1 = convolution(inputs, outputs, self.stride)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = convolution(outputs, outputs)
        self.bn2 = nn.BatchNorm2d(outputs)

    def forward(self, x):
        shortcut = x
        if self.stride == 2:
            half = x.shape[1] // 2
            shortcut = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, half, half))
        x = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(x)) + shortcut)


class ResNet(nn.Module):
    """6 * blocks + 2 layers: He et al. 2016, section 4.2, option A."""

    def __init__(self, blocks, channels=3, classes=10):
        super().__init__()
        self.conv1 = convolution(channels, 16)
        self.bn1 = nn.BatchNorm2d(16)

        def stage(inputs, outputs):
            first = [Block(inputs, outputs)]
            return nn.Sequential(*first, *(Block(outputs, outputs) for _ in range(blocks - 1)))

        self.layer1, self.layer2, self.layer3 = stage(16, 16), stage(16, 32), stage(32, 64)
        self.fc = nn.Linear(64, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))


class AlexNet(nn.Module):
    """Zhang et al. 2017, appendix A, without local response normalisation."""

    def __init__(self, shape=(3, 32, 32), classes=10):
        super().__init__()
        channels, height, width = shape
        quarter = lambda size: -(-size // 4)
        self.conv1 = nn.Conv2d(channels, 64, 5, padding=2)
        self.conv2 = nn.Conv2d(64, 64, 5, padding=2)
        self.fc1 = nn.Linear(64 * quarter(height) * quarter(width), 384)
        self.fc2 = nn.Linear(384, 192)
        self.fc3 = nn.Linear(192, classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 3, stride=2, padding=1)
        x = F.max_pool2d(F.relu(self.conv2(x)), 3, stride=2, padding=1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x.flatten(1))))))


def by_name(name, shape=(3, 32, 32)):
    """As a study file names them."""
    return {
        "mlp": lambda: Mlp(shape[0] * shape[1] * shape[2], [20, 12]),
        "cnn": lambda: Cnn(shape, [4, 6, 8]),
        "resnet20": lambda: ResNet(3, shape[0]),
        "resnet32": lambda: ResNet(5, shape[0]),
        "alexnet": lambda: AlexNet(shape),
    }[name]()
