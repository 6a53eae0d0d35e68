from typing import Any

arange: Any
flip: Any
