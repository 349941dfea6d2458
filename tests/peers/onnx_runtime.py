"""ONNX Runtime, one thread, on a model or on a single node."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper


class Session:
    """A model, ready to run."""

    def __init__(self, model):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, arrays):
        names = [output.name for output in self._session.get_outputs()]
        return dict(zip(names, self._session.run(None, arrays), strict=True))


def one_node(node, arrays):
    """A model of that node alone, all of whose inputs are given when it runs; ``arrays`` are examples."""

    def info(name, array):
        kind = TensorProto.INT32 if array.dtype == np.int32 else TensorProto.FLOAT
        return helper.make_tensor_value_info(name, kind, array.shape)

    inputs = [info(name, arrays[name]) for name in node.input if name]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in node.output]
    graph = helper.make_graph([node], "one_node", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
