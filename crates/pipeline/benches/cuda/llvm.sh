#!/usr/bin/env bash
# `cargo build --features cuda` downloads a static LLVM from a release page. Where only package registries can be
# reached, this lays the one from PyPI where that build looks first, and prints the variable to export:
#   eval "$(crates/pipeline/benches/cuda/llvm.sh DIR)" && cargo build --release --features cuda --locked
# Needs python3 with pip, and 700 MB in DIR. For burn 0.22.1, whose tracel-llvm-bundler is 23.1.0-4.
set -euo pipefail
dir=$(realpath -m "${1:?usage: llvm.sh DIR}")
name=tracel-llvm-23.1.0-4
if [[ ! -e $dir/data/tracel/$name/.tracel-llvm-installed ]]; then
  python3 -m pip install --quiet --target "$dir/llvm" 'mlc-llvm-static[all]==23.1.1.post0' >&2
  mkdir -p "$dir/data/tracel"
  ln -sfn "$dir/llvm/mlc_llvm_static/static" "$dir/data/tracel/$name"
  touch "$dir/data/tracel/$name/.tracel-llvm-installed"
fi
echo "export XDG_DATA_HOME=$dir/data"
