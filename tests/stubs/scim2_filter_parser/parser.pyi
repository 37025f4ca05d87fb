from collections.abc import Iterator

from sly.lex import Token

from .ast import Filter

class SCIMParserError(Exception): ...

class SCIMParser:
    def parse(self, tokens: Iterator[Token]) -> Filter: ...
