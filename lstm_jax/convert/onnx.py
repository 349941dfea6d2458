"""ONNX: its recurrent operators as cells of ours (`read_node`, `run_node`, `read_onnx`), and back (`write_onnx`).

The operators are those of https://onnx.ai/onnx/operators: LSTM, GRU and RNN. Needs ``pip install 'lstm-jax[onnx]'``.
"""

from lstm_jax.convert.onnx_read import RecurrentNode, read_node, read_onnx, run_node
from lstm_jax.convert.onnx_write import write_onnx

__all__ = ["RecurrentNode", "read_node", "read_onnx", "run_node", "write_onnx"]
