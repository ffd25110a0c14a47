"""Exports trained nets to ONNX: `python -m training.export --reader DIR --finders DIR --out models`.

Weights are stored as 16-bit floats and cast back when a session is made: half the size, and the sums are still done in
32 bits.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from .nets.maps import Closeup, Locator
from .nets.reader import Reader

OPSET = 17


def export(net: nn.Module, example: torch.Tensor, path: Path, axes: dict[int, str], output_axes: dict[int, str]) -> None:
    """Writes `net` to `path`; `axes` and `output_axes` name the dimensions that may vary."""
    net.eval()
    torch.onnx.export(
        net, (example,), str(path), input_names=["input"], output_names=["output"], opset_version=OPSET, dynamo=False,
        dynamic_axes={"input": axes, "output": output_axes}, do_constant_folding=True,
    )
    model = onnx.load(str(path))
    halve(model)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def halve(model: onnx.ModelProto) -> None:
    """Replaces every large 32-bit weight by a 16-bit one and a cast, in place."""
    graph = model.graph
    casts = []
    for i, weight in enumerate(list(graph.initializer)):
        values = numpy_helper.to_array(weight)
        if weight.data_type != TensorProto.FLOAT or values.size < 64:
            continue
        name = weight.name
        graph.initializer.remove(weight)
        graph.initializer.append(numpy_helper.from_array(values.astype(np.float16), name + "_half"))
        casts.append(helper.make_node("Cast", [name + "_half"], [name], name=f"widen_{i}", to=TensorProto.FLOAT))
    for cast in reversed(casts):
        graph.node.insert(0, cast)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--reader", help="folder with reader.pt")
    parser.add_argument("--finders", help="folder with locator.pt and closeup.pt")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    if args.reader:
        reader = Reader()
        reader.load_state_dict(torch.load(Path(args.reader) / "reader.pt"))
        export(reader, torch.rand(1, 3, 32, 384) * 255, out / "reader.onnx", {0: "n", 3: "w"}, {0: "n", 1: "t"})
    if args.finders:
        for name, net in (("locator", Locator()), ("closeup", Closeup())):
            net.load_state_dict(torch.load(Path(args.finders) / f"{name}.pt"))
            export(net, torch.rand(1, 3, 288, 384) * 255, out / f"{name}.onnx", {0: "n", 2: "h", 3: "w"}, {0: "n", 2: "mh", 3: "mw"})
    for path in sorted(out.glob("*.onnx")):
        print(f"{path.name} {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
