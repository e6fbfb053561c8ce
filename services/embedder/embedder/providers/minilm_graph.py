"""Writes MiniLM as an ONNX graph from the weights in its package: `python -m embedder.providers.minilm_graph DIR`.

The graph is BERT (Devlin et al. 2019) with six layers, then the mean over tokens and unit length, as
sentence-transformers computes it. Weights lie in a file of their own, which the runtime maps instead of reading.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file  # pyright: ignore[reportUnknownVariableType]

from embedder.providers.minilm_files import graph_name, package_dir

LAYERS = 6
HEADS = 12
DIMENSIONS = 384
_EPSILON = 1e-12
_FUSED = "com.microsoft"  # ONNX Runtime's own operators for attention and its neighbours

Array = NDArray[Any]


class _Graph:
    """Collects nodes and weights; every method returns the name of what it adds."""

    def __init__(self, weights: dict[str, Array]) -> None:
        self.weights = weights
        self.nodes: list[Any] = []
        self.constants: dict[str, Array] = {}

    def constant(self, name: str, value: Array) -> str:
        self.constants[name] = np.ascontiguousarray(value)
        return name

    def weight(self, name: str, *, transposed: bool = False) -> str:
        value = self.weights[name]
        return self.constant(name, value.T if transposed else value)

    def add(self, operator: str, inputs: list[str], output: str, domain: str = "", **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, domain=domain, **attributes))
        return output

    def multiply(self, tensor: str, layer: str) -> str:
        return self.add("MatMul", [tensor, self.weight(f"{layer}.weight", transposed=True)], f"{layer}.product")

    def add_and_normalise(self, tensor: str, residual: str, dense: str, norm: str) -> str:
        inputs = [tensor, residual, *(self.weight(f"{norm}.{part}") for part in ("weight", "bias"))]
        inputs.append(self.weight(f"{dense}.bias"))
        return self.add("SkipLayerNormalization", inputs, f"{norm}.out", _FUSED, epsilon=_EPSILON)


def _embeddings(graph: _Graph) -> str:
    prefix = "embeddings"
    word = graph.add("Gather", [graph.weight(f"{prefix}.word_embeddings.weight"), "input_ids"], "words")
    # Every token is of the first type, so its vector goes into the positions.
    positions = graph.weights[f"{prefix}.position_embeddings.weight"]
    graph.constant("positions", positions + graph.weights[f"{prefix}.token_type_embeddings.weight"][0])
    graph.constant("zero", np.array([0], np.int64))
    graph.add("Shape", ["input_ids"], "length", start=1, end=2)
    graph.add("Slice", ["positions", "zero", "length", "zero"], "position")
    graph.add("Add", [word, "position"], "embedded")
    norm = [graph.weight(f"{prefix}.LayerNorm.{part}") for part in ("weight", "bias")]
    return graph.add("LayerNormalization", ["embedded", *norm], "layer.in", axis=-1, epsilon=_EPSILON)


def _layer(graph: _Graph, number: int, tensor: str) -> str:
    layer = f"encoder.layer.{number}"
    attention = [f"{layer}.attention.self.{name}" for name in ("query", "key", "value")]
    joined = np.concatenate([graph.weights[f"{name}.weight"].T for name in attention], axis=1)
    biases = np.concatenate([graph.weights[f"{name}.bias"] for name in attention])
    inputs = [tensor, graph.constant(f"{layer}.qkv", joined), graph.constant(f"{layer}.qkv.bias", biases), "mask"]
    context = graph.add("Attention", inputs, f"{layer}.context", _FUSED, num_heads=HEADS)
    dense, norm = f"{layer}.attention.output.dense", f"{layer}.attention.output.LayerNorm"
    tensor = graph.add_and_normalise(graph.multiply(context, dense), tensor, dense, norm)
    wide = f"{layer}.intermediate.dense"
    inputs = [graph.multiply(tensor, wide), graph.weight(f"{wide}.bias")]
    activated = graph.add("BiasGelu", inputs, f"{wide}.activated", _FUSED)
    dense, norm = f"{layer}.output.dense", f"{layer}.output.LayerNorm"
    return graph.add_and_normalise(graph.multiply(activated, dense), tensor, dense, norm)


def _pooled(graph: _Graph, tensor: str) -> None:
    """The sum over real tokens, brought to unit length: dividing by their number first would change nothing."""
    graph.constant("one", np.array([1], np.int64))
    graph.add("Cast", ["attention_mask"], "weights", to=TensorProto.FLOAT)
    graph.add("Unsqueeze", ["weights", "one"], "row")
    graph.add("MatMul", ["row", tensor], "summed")
    graph.add("Squeeze", ["summed", "one"], "sum")
    graph.add("LpNormalization", ["sum"], "embedding", axis=-1, p=2)


def build() -> onnx.ModelProto:
    """Inputs ``input_ids`` and ``attention_mask`` int64 (batch, tokens); output ``embedding`` float32 (batch, 384)."""
    graph = _Graph(load_file(package_dir() / "model.safetensors"))
    graph.add("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
    tensor = _embeddings(graph)
    for number in range(LAYERS):
        tensor = _layer(graph, number, tensor)
    _pooled(graph, tensor)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", DIMENSIONS])
    constants = [numpy_helper.from_array(value, name) for name, value in graph.constants.items()]
    made = helper.make_graph(graph.nodes, "minilm", inputs, [output], constants)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(_FUSED, 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=9)


def write(directory: Path) -> Path:
    """Write graph and weights; the graph appears last, and only complete. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    name = graph_name()
    with tempfile.TemporaryDirectory(dir=directory, prefix=".building-") as building:
        made = Path(building) / name
        cast("Any", onnx).save(
            build(), str(made), save_as_external_data=True, location=f"{name}.data", size_threshold=1024
        )
        for file in (f"{name}.data", name):
            (Path(building) / file).chmod(0o644)
            os.replace(Path(building) / file, directory / file)
    return directory / name


if __name__ == "__main__":
    sys.stdout.write(f"{write(Path(sys.argv[1]))}\n")
