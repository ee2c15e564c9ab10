"""The storage of inputs and results: folders in any of Django's storages, and a storage of objects (S3).

address   STORAGE_URL, as `settings.STORAGES` takes it
folders   folders and many files at a time, whatever the storage is
objects   the storage of objects, on django-storages
clients   boto3's clients: one for each patience, shared by all threads
staying   files that a deletion has left behind
answers   content as it arrives, and refusals as OSErrors
"""
