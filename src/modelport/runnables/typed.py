"""`RunnableWithTypes`: a runnable with types that somebody says of it, for schemas and graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from modelport.runnables.base import In, Out, Runnable
from modelport.runnables.binding import RunnableBinding

if TYPE_CHECKING:
    from pydantic import BaseModel


class RunnableWithTypes(RunnableBinding[In, Out]):
    """Is called as what is bound; only what it says of its input and output is its own."""

    def __init__(self, bound: Runnable[In, Out], *, input_type: Any = None, output_type: Any = None) -> None:
        """Bind.

        Args:
            bound: What is called.
            input_type: The type of its input; None leaves the bound one's.
            output_type: The type of its output; None leaves the bound one's.
        """
        super().__init__(bound)
        if isinstance(bound, RunnableWithTypes):
            input_type = input_type if input_type is not None else bound.input_type
            output_type = output_type if output_type is not None else bound.output_type
        self.input_type = input_type
        """The type of the input, when it was said."""
        self.output_type = output_type
        """The type of the output, when it was said."""

    @property
    @override
    def InputType(self) -> Any:
        return self.input_type if self.input_type is not None else self.bound.InputType

    @property
    @override
    def OutputType(self) -> Any:
        return self.output_type if self.output_type is not None else self.bound.OutputType

    @override
    def get_input_schema(self) -> type[BaseModel]:
        from modelport.runnables.schemas import schema_of_type

        if self.input_type is None:
            return self.bound.get_input_schema()
        return schema_of_type(self.bound.get_name(), "input", self.input_type)

    @override
    def get_output_schema(self) -> type[BaseModel]:
        from modelport.runnables.schemas import schema_of_type

        if self.output_type is None:
            return self.bound.get_output_schema()
        return schema_of_type(self.bound.get_name(), "output", self.output_type)
