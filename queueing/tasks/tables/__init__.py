"""The heavy task "tables": reads a CSV file and describes each of its columns.

    task.py            the task and its registration as a heavy task
    conf.py            its settings
    choices.py         what a visitor may choose about the reading
    form.py            the upload form; refuses files that are not tables before anything is stored
    other_formats.py   recognises what is no table
    look.py            a look at the beginning of a file, for the form's check and its preview
    encoding.py        detects the file's encoding and converts it to UTF-8
      guessing.py        guesses it from the letters, if it is no UTF-8
    doubts.py          decisions that were close, and what else may fit
    dialect.py         detects delimiter, titles and header from the first rows
      quoting.py         quotation marks, escapes and comments
      lines.py           the lines of a file
      rows.py            cuts lines into rows and cells, whatever their author did with quotation marks
      aligned.py         columns of text that is aligned with blanks
      frames.py          tables with lines drawn between their cells
      above.py           titles, and pairs of a name and a value, above the header
      header.py          tells whether the first row holds names, and names the columns
    profile.py         from a path to the profile; imports the modules that use DuckDB:
      database.py        the database of the run
      loading.py         the rows -> a table of text in it
      apart.py           totals, notes and second tables below the rows
      totals.py          totals and repeated headers among the rows
      describer.py       decides how the values of each column are written, and measures them
      values.py          the different values of columns, with their counts
      column.py          one column, and the facts about it
      numeric.py         numbers as people write them
      moments.py         dates and times as people write them
      spoken.py          dates with the words of other languages
      distribution.py    the facts about numbers and dates
      export.py          the table as a Parquet file
    page.py            profile -> the result that the page shows
    card.py            one column on the page; words.py its texts, charts.py its SVG

Only profile.py and modules below it import DuckDB, and the task imports profile.py inside its function: the web
processes do not need it, and its threads do not survive the fork that a worker makes for each job.

Why the dialect is found out here: of 24 small tables of known names and rows, each of another kind (stray marks, years
as names, titles, comments, aligned text, `sep=`, drawn lines, notes), this package reads 24, clevercsv 0.8.5 reads 15
and DuckDB's sniffer 14; and neither of those says where it was close. Why encodings are guessed twice: of 62 files of
one to six lines, chardet alone is right for 53, charset-normalizer for 36, and guessing.py, which overrules chardet
where signs stand inside words, for 61.
"""
