"""What a TFLite model is made of, read from its flatbuffer without running it."""

from __future__ import annotations

import struct
from collections import Counter

from ai_edge_litert import schema_py_generated as schema

from converters.errors import ConversionError
from converters.recipes import TFLITE_RUNTIME

_NAMES = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}

# The newest version that tflite-runtime 2.14.0 runs, of the operators whose newer version a converter of today writes.
# Found by raising the version in a model until that runtime refused it; a test does it again.
NEWEST_VERSION = {TFLITE_RUNTIME: {"FULLY_CONNECTED": 10}}


def operators(model: bytes) -> Counter[tuple[str, int]]:
    """How often each operator is used, over all subgraphs, by name and version; a custom one has its own name.

    Raises:
        ConversionError: these bytes are no TFLite model.
    """
    found: Counter[tuple[str, int]] = Counter()
    try:
        content = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
        codes = [_name(code) for code in content.operatorCodes]
        for graph in content.subgraphs:
            found.update(codes[operator.opcodeIndex] for operator in graph.operators)
    except (struct.error, IndexError, TypeError, ValueError, AttributeError) as error:
        msg = f"the converter wrote no TFLite model ({error}); use another recipe"
        raise ConversionError(msg) from error
    return found


def lacking(model: bytes, runtime: str) -> str | None:
    """Why a runtime cannot run a model, in words; None where nothing is known against it."""
    newest = NEWEST_VERSION.get(runtime, {})
    for name, version in sorted(operators(model)):
        if name.startswith("Flex"):
            return f"it needs the TensorFlow operator {name.removeprefix('Flex')} (Flex), which the runtime lacks"
        if version > newest.get(name, version):
            return f"it needs {name} version {version}, and the runtime ends at version {newest[name]}"
    return None


def _name(code: schema.OperatorCodeT) -> tuple[str, int]:
    builtin = max(code.builtinCode, code.deprecatedBuiltinCode)  # the old field ends at 127
    if builtin == schema.BuiltinOperator.CUSTOM:
        return code.customCode.decode(errors="replace"), code.version
    return _NAMES[builtin], code.version
