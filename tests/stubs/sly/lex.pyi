class Token:
    type: str
    value: str | bool | int | float | None
    index: int
    end: int
