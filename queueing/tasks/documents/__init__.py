"""The heavy task "documents": reads the text of a scan or a photo, page by page.

    task.py             the task and its registration as a heavy task
    conf.py             its settings
    form.py             the upload form; refuses files that cannot be read before anything is stored
    source.py           recognises the input by its content and opens it
    scanning.py         limits on what a file has many of, before a library reads it
    pdf.py              PDF files as page pictures, with PDFium
    pictures.py         picture files as page pictures, with Pillow
    recognition.py      a page picture -> lines of text
        engine.py       finds and reads lines with the models
        models.py       the models, loaded before a worker forks
        spacing.py      the spaces of a line, by the gaps in its picture
        strokes.py      the ink of a line, and how much of it was read
        orientation.py  the side on which a page lies, judged by the text that can be read
        ink.py          marks like letters that no line explains
        stamps.py       coloured ink across text, taken off and read apart
    layout.py           lines of text -> rows and paragraphs in reading order; reading_order.py, tables.py
    searchable.py       page pictures and lines of text -> a searchable PDF
    page.py             the types that these modules share
    budget.py           the computing time for one page

models.py imports rapidocr, OpenVINO and OpenCV inside its functions: a worker loads them before its first fork, another
process when it reads its first page. A web process never does.
"""
