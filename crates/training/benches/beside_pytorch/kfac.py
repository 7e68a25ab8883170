"""K-FAC in PyTorch, the algorithm of the crate burn-kfac in the shortest way that is not slow.

Linear layers and convolutions in homogeneous coordinates, input patches by unfolding (Martens & Grosse 2015; Grosse &
Martens 2016), running averages that start at zero, damping of the exact inverse in the eigenbasis; decompositions in
double precision. The sampled Fisher's second backward pass reuses the graph and ends at the layers' outputs.
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy, pad, unfold


class Kfac:
    """Makes the gradients of a network and preconditions those of its linear layers and convolutions."""

    def __init__(self, network, damping, fisher, factor_every, inverse_every, factor_decay=0.95):
        self.damping, self.fisher, self.decay = damping, fisher, factor_decay
        self.factor_every, self.inverse_every = factor_every, inverse_every
        self.step, self.updates = 0, 0
        self.layers = [layer for layer in network.modules() if isinstance(layer, (nn.Linear, nn.Conv2d))]
        # By layer: its input and output in this step; A_mean and G_mean; positions of its output; what inverts.
        self.seen, self.factors, self.positions, self.inverses = {}, {}, {}, {}
        for layer in self.layers:
            layer.register_forward_hook(self.see)

    def see(self, layer, inputs, output):
        if output.requires_grad and self.step % self.factor_every == 0:
            if self.fisher == "empirical":
                output.retain_grad()
            self.seen[layer] = inputs[0].detach(), output

    def backward(self, logits, labels):
        """The mean loss of logits [batch, classes] that the network just gave; gradients of its parameters."""
        loss = cross_entropy(logits, labels)
        if self.step % self.factor_every == 0:
            outputs = [self.seen[layer][1] for layer in self.layers]
            if self.fisher == "sampled":
                drawn = torch.multinomial(logits.detach().softmax(1), 1).squeeze(1)
                sum_of_losses = cross_entropy(logits, drawn, reduction="sum")
                gradients = torch.autograd.grad(sum_of_losses, outputs, retain_graph=True)
                loss.backward()
            else:
                loss.backward()
                gradients = [output.grad * len(logits) for output in outputs]
            self.update(gradients)
        else:
            loss.backward()
        with torch.no_grad():
            if self.step % self.inverse_every == 0:
                self.invert()
            self.precondition()
        self.step += 1
        return loss

    @torch.no_grad()
    def update(self, gradients):
        """Running averages of A_mean and G_mean with those of this batch; gradients: each example's own, [batch, ...]."""
        for layer, d in zip(self.layers, gradients):
            a, _ = self.seen[layer]
            if isinstance(layer, nn.Conv2d):
                patches = unfold(a, layer.kernel_size, padding=layer.padding, stride=layer.stride)
                a = patches.transpose(1, 2).flatten(0, 1)
                d = d.flatten(2).transpose(1, 2).flatten(0, 1)
            if layer.bias is not None:
                a = pad(a, (0, 1), value=1.0)
            new = a.T @ a / len(a), d.T @ d / len(d)
            old = self.factors.get(layer)
            self.factors[layer] = [
                self.decay * before + (1 - self.decay) * now if old else (1 - self.decay) * now
                for before, now in zip(old or new, new)
            ]
            self.positions[layer] = len(a) // len(self.seen[layer][0])
        self.seen.clear()
        self.updates += 1

    def invert(self):
        """Eigenvectors of both factors of each layer, and 1 / (positions * eigenvalues of G and A + damping)."""
        correction = 1 - self.decay**self.updates
        for layer, factors in self.factors.items():
            (da, qa), (dg, qg) = [torch.linalg.eigh((factor / correction).double()) for factor in factors]
            eigenvalues = self.positions[layer] * dg.clamp(min=0)[:, None] * da.clamp(min=0)
            dtype = layer.weight.dtype
            self.inverses[layer] = qa.to(dtype), qg.to(dtype), (1 / (eigenvalues + self.damping)).to(dtype)

    def precondition(self):
        """(F + damping I)^-1 times the gradient, in place."""
        for layer, (qa, qg, scale) in self.inverses.items():
            weight, bias = layer.weight.grad, layer.bias
            v = weight.flatten(1)
            if bias is not None:
                v = torch.cat([v, bias.grad[:, None]], 1)
            u = qg @ ((qg.T @ v @ qa) * scale) @ qa.T
            if bias is not None:
                bias.grad.copy_(u[:, -1])
                u = u[:, :-1]
            weight.copy_(u.reshape(weight.shape))
