"""Reads the frames that the tests wrote with pandas, polars, pyarrow and safetensors, and compares every
field with `NAME.json`, the truth: `[[column, kind], ...]` and rows, in which NaN is the text "NaN".

usage: frames.py FOLDER
"""

import json
import math
import pathlib
import sys

import pandas
import polars
import pyarrow.parquet
import safetensors
import safetensors.numpy


def same(found, truth, exactly=True):
    if truth == "NaN":
        return isinstance(found, float) and math.isnan(found)
    if truth is None or found is None:
        return found is truth
    if isinstance(truth, float) and not exactly:
        return math.isclose(found, truth, rel_tol=1e-6)
    return found == truth


def check(how, rows, truth, exactly=True):
    assert len(rows) == len(truth), f"{how}: {len(rows)} rows, not {len(truth)}"
    for number, (row, expected) in enumerate(zip(rows, truth)):
        for place, (found, wanted) in enumerate(zip(row, expected, strict=True)):
            assert same(found, wanted, exactly), f"{how}, row {number}, field {place}: {found!r}, not {wanted!r}"


def no_nan(frame, truth):
    """CSV and pandas have one missing value: null and NaN alike become None, and so in the truth."""
    rows = [
        [None if pandas.isna(field) else field for field in row]
        for row in frame.itertuples(index=False, name=None)
    ]
    return rows, [[None if field == "NaN" else field for field in row] for row in truth]


folder = pathlib.Path(sys.argv[1])
checked = 0
for path in sorted(folder.glob("*.json")):
    truth = json.loads(path.read_text())
    columns = [name for name, _ in truth["columns"]]
    rows = truth["rows"]
    csv, parquet, tensors = (path.with_suffix(end) for end in (".csv", ".parquet", ".safetensors"))

    table = pyarrow.parquet.read_table(parquet)
    assert table.column_names == columns
    check(f"{parquet.name}, pyarrow", list(zip(*(column.to_pylist() for column in table.columns))), rows)
    check(f"{parquet.name}, polars", polars.read_parquet(parquet).rows(), rows)
    frame = pandas.read_parquet(parquet)
    assert list(frame.columns) == columns
    check(f"{parquet.name}, pandas", *no_nan(frame, rows))

    frame = pandas.read_csv(csv, keep_default_na=False, na_values={c: ["", "NaN"] for c in columns})
    assert list(frame.columns) == columns
    text = {place for place, (_, kind) in enumerate(truth["columns"]) if kind == "Text"}
    empty = [[None if place in text and field == "" else field for place, field in enumerate(row)] for row in rows]
    check(f"{csv.name}, pandas", *no_nan(frame, empty), exactly=False)
    frame = polars.read_csv(csv, infer_schema_length=None)
    assert frame.columns == columns and frame.height == len(rows)

    with safetensors.safe_open(tensors, "numpy") as file:
        texts = {name: json.loads(entry) for name, entry in (file.metadata() or {}).items()}
    arrays = safetensors.numpy.load_file(tensors)
    assert sorted(arrays) == sorted(columns)
    fields = []
    for place, (name, kind) in enumerate(truth["columns"]):
        values = arrays[name].tolist()
        if kind == "Text":
            values = [None if code == 0xFFFFFFFF else texts[name][code] for code in values]
        elif kind != "Text":
            values = [None if isinstance(v, float) and math.isnan(v) else v for v in values]
        fields.append(values)
    expected = [[None if field == "NaN" else field for field in row] for row in rows]
    check(tensors.name, list(zip(*fields)), expected)
    checked += 1
assert checked, "nothing to check"
print(f"{checked} frames read alike")
