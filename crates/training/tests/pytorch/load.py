"""Loads weights exported by this crate into PyTorch, runs the network and saves its weights again.

    python load.py NETWORK WEIGHTS WEIGHTS_AGAIN LOGITS BATCH CHANNELS HEIGHT WIDTH

Images are those of `formula.py`; BatchNorm is in evaluation mode.
"""

import sys

import torch
from safetensors.torch import load_file, save_file

import formula
import networks

name, weights, again, logits = sys.argv[1:5]
batch, *shape = map(int, sys.argv[5:])
network = networks.by_name(name, shape)
network.load_state_dict(load_file(weights))
network.eval()
with torch.no_grad():
    result = network(formula.images((batch, *shape)).float())
save_file({"logits": result.contiguous()}, logits)
save_file(network.state_dict(), again)
