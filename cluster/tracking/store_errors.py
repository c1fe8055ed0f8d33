"""What an MLflow store's errors mean."""

from mlflow.exceptions import MlflowException

from magic.redaction import redacted

NOT_THERE = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}
"""Codes of what is not there. MLflow has the second one for aliases, and for names that nothing can have."""
NOT_ALLOWED = {"PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED"}
"""Codes of what this user may not do."""
MAX_REASON_CHARS = 500


def is_not_there(error: MlflowException) -> bool:
    """Whether a store answers that it does not have what it was asked for. It might also have refused to say."""
    return error.error_code in NOT_THERE


def reason_of(error: Exception) -> str:
    """What a store said, in one line without credentials, and what a user who may not do something can do."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    told = " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]
    shown = redacted(told)[:MAX_REASON_CHARS]
    if getattr(error, "error_code", None) in NOT_ALLOWED:
        return f"{shown}; log in as a user who may do this (MLFLOW_TRACKING_USERNAME), or ask the store's administrator"
    return shown
