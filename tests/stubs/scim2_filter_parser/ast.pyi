class AST: ...

class SubAttr(AST):
    value: str

class AttrPath(AST):
    attr_name: str | Filter
    sub_attr: SubAttr | None
    uri: str | None
    def __init__(
        self, attr_name: str | Filter, sub_attr: SubAttr | None, uri: str | None
    ) -> None: ...

class CompValue(AST):
    value: str | bool | int | float | None

class AttrExpr(AST):
    value: str
    attr_path: AttrPath
    comp_value: CompValue | None

class LogExpr(AST):
    op: str
    expr1: Filter
    expr2: Filter

class Filter(AST):
    expr: AST
    negated: bool
    namespace: AttrPath | None
