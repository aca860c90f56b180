"""Results as tables of Arrow, made of what the server has sent without a Python object for each value.

This is what `fetch_arrow_table()`, `fetch_df()` and `fetch_record_batches()` of the cursors do. `fetching.py` is what
the cursors call. Down from there, rows become vectors of positions (`rows.py`; `json_rows.py` for those that come over
HTTP), which say of each column where its values stand (`values.py`); a reader for the type of the column
(`columns.py`) makes an array of them.
"""
