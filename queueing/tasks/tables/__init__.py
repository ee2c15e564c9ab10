"""The heavy task "tables": reads a CSV file as a stream and describes each of its columns.

    task.py            the task and its registration as a heavy task
    conf.py            its settings
    form.py            the upload form; refuses files that are not tables before anything is stored
    choices.py         what a visitor may choose about the reading of a table
    other_formats.py   recognises what is no table
    look.py            how a table would be read, and its first rows, for check and preview
    encoding.py        detects the file's encoding and converts it to UTF-8
    dialect.py         detects delimiter, column names and decimal mark from the first rows
    header.py          tells whether the first row holds names, and names the columns
    profile.py         from a path to the profile; imports the modules that use polars:
      reading.py         UTF-8 bytes -> blocks of rows
      column.py          blocks of values -> the facts about one column
      distribution.py    the facts about numbers and dates
      sketches.py        summaries of a column, in bounded memory
      kinds.py           recognises missing values, numbers and dates
    page.py            profile -> the result that the page shows
    card.py            one column on the page; words.py its texts, charts.py its SVG

Only profile.py and the modules below it import polars, and the task imports profile.py inside its function. Polars
starts threads on import, and threads do not survive the fork that a worker makes for each job. So polars must not be
loaded in a worker's parent process; the web processes do not need it.
"""
