"""ONNX: its recurrent operators as cells of ours (`read_node`, `run_node`, `read_onnx`), and back (`write_onnx`).

The operators are those of https://onnx.ai/onnx/operators: LSTM, GRU and RNN. Needs the extra `convert`::

    (node,) = read_onnx("model.onnx")
    ys, state = unroll(node.cell, node.params, xs, reverse=node.reverse)
    onnx.save(write_onnx(cell, params, lengths=True), "cell.onnx")
"""

from lstm_jax.convert.onnx_read import RecurrentNode, read_node, read_onnx, run_node
from lstm_jax.convert.onnx_write import write_onnx

__all__ = ["RecurrentNode", "read_node", "read_onnx", "run_node", "write_onnx"]
