"""The two networks in the formats of other libraries, and back.

    from fastnet.interchange import from_onnx, to_onnx

    to_onnx(net, "net.onnx", input_dtype=np.uint8)     # raw rows in, probabilities out
    net = from_onnx("net.onnx")

PyTorch's state dict        to_state_dict, from_state_dict: arrays, no library needed
scikit-learn's classifier   to_sklearn, from_sklearn: a fitted MLPClassifier (extra `sklearn`)
ONNX                        to_onnx, from_onnx (extra `onnx`)
safetensors                 to_safetensors, from_safetensors: all that `save` keeps (extra `safetensors`)

A net without normalisation comes back from each of them to the last bit.  The first two know nothing of a
normalisation: it is folded into the first layer, or left to the caller (fold=False).
"""

from fastnet.interchange.mlp import from_sklearn, to_sklearn
from fastnet.interchange.onnx import from_onnx, to_onnx
from fastnet.interchange.safetensors import from_safetensors, to_safetensors
from fastnet.interchange.state_dict import from_state_dict, to_state_dict

__all__ = [
    "from_onnx",
    "from_safetensors",
    "from_sklearn",
    "from_state_dict",
    "to_onnx",
    "to_safetensors",
    "to_sklearn",
    "to_state_dict",
]
