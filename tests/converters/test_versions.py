"""What is written down of the old runtime's operators is what it runs."""

from __future__ import annotations

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as schema
from tflite_runtime.interpreter import Interpreter

from converters.flatbuffer import NEWEST_VERSION, operators
from converters.forms import Forms
from converters.recipes import TFLITE_RUNTIME


def raised(model: bytes, name: str, version: int) -> bytes:
    """The model with another version of an operator."""
    content = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    for code in content.operatorCodes:
        if code.builtinCode == getattr(schema.BuiltinOperator, name):
            code.version = version
    builder = flatbuffers.Builder(1024)
    builder.Finish(content.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize(("name", "newest"), NEWEST_VERSION[TFLITE_RUNTIME].items())
def test_the_newest_version_is_run_and_the_next_refused(forms: Forms, name: str, newest: int) -> None:
    model = next(m for m in forms.models.values() if any(used == name for used, _ in operators(m)))
    Interpreter(model_content=raised(model, name, newest)).allocate_tensors()
    with pytest.raises(ValueError, match=f"'{name}' version '{newest + 1}'"):
        Interpreter(model_content=raised(model, name, newest + 1))
