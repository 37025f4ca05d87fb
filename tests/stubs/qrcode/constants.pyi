from typing import Final

ERROR_CORRECT_M: Final[int]
