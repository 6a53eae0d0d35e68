from typing import Any

send_intermediate_predict_response: Any
