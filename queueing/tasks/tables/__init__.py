"""The heavy task "tables": reads a CSV file and describes each of its columns.

    task.py            the task and its registration as a heavy task
    conf.py            its settings
    choices.py         what a visitor may choose about the reading
    form.py            the upload form; refuses files that are not tables before anything is stored
    other_formats.py   recognises what is no table
    look.py            a look at the beginning of a file, for the form's check and its preview
    encoding.py        detects the file's encoding and converts it to UTF-8
    doubts.py          decisions that were close, and what else may fit
    dialect.py         detects delimiter, quoting, titles and header from the first rows
      rows.py            cuts lines into rows and cells, whatever their author did with quotation marks
      aligned.py         columns of text that is aligned with blanks
      header.py          tells whether the first row holds names, and names the columns
    profile.py         from a path to the profile; imports the modules that use DuckDB:
      loading.py         the rows -> a table of text in a database of the run's own
      apart.py           totals, notes and second tables below the rows
      column.py          decides how the values of a column are written, and states the facts about them
      numeric.py         numbers as people write them
      moments.py         dates and times as people write them
      distribution.py    the facts about numbers and dates
      export.py          the table as a Parquet file
    page.py            profile -> the result that the page shows
    card.py            one column on the page; words.py its texts, charts.py its SVG

Only profile.py and modules below it import DuckDB, and the task imports profile.py inside its function: the web
processes do not need it, and its threads do not survive the fork that a worker makes for each job.
"""
