"""Pages of call-log records as columns, all records of a page at once, by Arrow's own reader of JSON.

It makes no Python object of a value, so it is several times as quick as a walk through the records, and leaves other
threads the interpreter meanwhile. It only takes pages without anything unusual in them, and says so of all others.
"""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from voxlake.ringcentral.record_fields import TEXT, TIME
from voxlake.ringcentral.record_shapes import CALL, LEG, Columns, Field, Shape, Tree, to_json

# A float beyond it may have been a whole number of more digits.
_EXACT = 2**53
# What JSON may hold between quotes as it is, of what is ASCII.
_PLAIN = r"^[ !#-\[\]-~]*$"


class _UnusualError(Exception):
    """Something that this reader cannot vouch for."""


def read_page(body: bytes) -> tuple[Columns, Columns] | None:
    """The columns of the page's calls and of their legs; None where the records must be looked at one by one.

    Beside the columns of its shape and `extra`, the calls have `uri`, and the legs have `parent`, the number of their
    record on the page. Nothing of a value is checked but what its column needs.
    """
    try:
        if not body.isascii():
            body.decode()
        page = _read(body, _SCHEMA)
        if any(_has_times(field.type) for field in page.schema):
            page = _read(body, pa.schema([field.with_type(_times_as_texts(field.type)) for field in page.schema]))
        records = _elements(page["records"].chunk(0))
        legs = pc.struct_field(records, "legs")
        calls = _columns(_without_legs(records), CALL) | {"uri": pc.struct_field(records, "uri")}
        return calls, _columns(_elements(legs), LEG) | {"parent": pc.list_parent_indices(legs)}
    except (pa.ArrowException, UnicodeDecodeError, _UnusualError):
        return None


def _read(body: bytes, schema: pa.Schema) -> pa.Table:
    page = pyarrow.json.read_json(
        pa.BufferReader(body),
        # One block, as a page is one object.
        read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=len(body) + 1),
        parse_options=pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="infer"),
    )
    # A list whose first value is null can come out short: https://github.com/apache/arrow/issues/51305
    page.validate(full=True)
    if page.num_rows != 1 or page["records"].null_count:
        raise _UnusualError("not one object with records")
    return page


def _elements(lists: pa.ListArray) -> pa.StructArray:
    elements = lists.flatten()
    if elements.null_count:
        raise _UnusualError("a null among records or legs")
    return elements


def _without_legs(records: pa.StructArray) -> pa.StructArray:
    others = {field.name: values for field, values in zip(records.type, records.flatten(), strict=True)}
    del others["legs"]
    return pa.StructArray.from_arrays(list(others.values()), list(others))


def _columns(structs: pa.StructArray, shape: Shape) -> Columns:
    columns: Columns = {}
    columns["extra"] = _take(structs, shape.tree, columns)
    for _, field in shape.fields:
        if field.column not in columns:
            columns[field.column] = pa.nulls(len(structs), field.kind.type)
    return columns


def _take(structs: pa.StructArray, tree: Tree, columns: Columns) -> pa.Array:
    """Adds what has a column to `columns`, and returns the rest as texts of JSON, null where there is none."""
    rest: dict[str, pa.Array] = {}
    for field, values in zip(structs.type, structs.flatten(), strict=True):
        known = tree.get(field.name)
        if isinstance(known, Field):
            column = known.kind.to_column(values)
            if column is None:
                raise _UnusualError(field.name)
            columns[known.column] = column
        elif known is None:
            rest[field.name] = _json_texts(values)
        else:
            rest[field.name] = _take(values, known, columns)
    members = [
        pc.fill_null(pc.binary_join_element_wise(f",{json.dumps(name)}:", text, ""), "")
        for name, text in sorted(rest.items())
        if text.null_count < len(text)
    ]
    if not members:
        return pa.nulls(len(structs), pa.string())
    joined = pc.binary_join_element_wise(*members, "")
    objects = pc.binary_join_element_wise("{", pc.utf8_slice_codeunits(joined, 1), "}", "")
    return pc.if_else(pc.equal(joined, ""), None, objects)


def _json_texts(values: pa.Array) -> pa.Array:
    """Each value as a text of JSON."""
    kind = values.type
    if pa.types.is_null(kind):
        return pa.nulls(len(values), pa.string())
    if kind in (pa.bool_(), pa.int64()):
        return values.cast(pa.string())
    if kind == pa.string() and pc.all(pc.match_substring_regex(values, _PLAIN), min_count=0).as_py():
        return pc.binary_join_element_wise('"', values, '"', "")
    if pa.types.is_struct(kind):
        empty = pc.if_else(values.is_valid(), "{}", None)
        return pc.coalesce(_take(values, {}, {}), empty)
    if pa.types.is_list(kind) and not pa.types.is_struct(kind.value_type):
        _json_texts(_elements(values))
    elif kind == pa.float64():
        if not pc.all(pc.less(pc.abs(values), _EXACT), min_count=0).as_py():
            raise _UnusualError("a number of many digits")
    elif kind != pa.string():
        raise _UnusualError(str(kind))
    return pa.array([None if value is None else to_json(value) for value in values.to_pylist()], pa.string())


def _has_times(kind: pa.DataType) -> bool:
    # The reader takes a text of the form of a time for one; what it was cannot be told afterwards.
    if pa.types.is_struct(kind):
        return any(_has_times(field.type) for field in kind)
    return _has_times(kind.value_type) if pa.types.is_list(kind) else pa.types.is_temporal(kind)


def _times_as_texts(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_times_as_texts(field.type)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(_times_as_texts(kind.value_type))
    return pa.string() if pa.types.is_temporal(kind) else kind


def _type_of(tree: Tree, **others: pa.DataType) -> pa.DataType:
    """What the reader must know of a tree of fields: what is an object, and what is a text even if it is of a time."""
    fields = dict(others)
    for name, known in tree.items():
        if not isinstance(known, Field):
            fields[name] = _type_of(known)
        elif known.kind in (TEXT, TIME):
            fields[name] = pa.string()
    return pa.struct(list(fields.items()))


_SCHEMA = pa.schema({"records": pa.list_(_type_of(CALL.tree, uri=pa.string(), legs=pa.list_(_type_of(LEG.tree))))})
