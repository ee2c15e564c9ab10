from django.db import migrations, models

import queueing.models


def move_inputs(apps, schema_editor):
    """Move each input from its row of EntryFile, which has no attempt, to the entry; the file stays in place."""
    Entry, EntryFile = apps.get_model("queueing", "Entry"), apps.get_model("queueing", "EntryFile")
    for file in EntryFile.objects.filter(attempt=None).iterator():
        Entry.objects.filter(pk=file.entry_id).update(
            input=file.file.name, input_name=file.name, input_type=file.content_type
        )
    EntryFile.objects.filter(attempt=None).delete()


class Migration(migrations.Migration):
    # PostgreSQL alters no table that has pending trigger events of the same transaction.
    atomic = False

    dependencies = [("queueing", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="entry",
            name="input",
            field=models.FileField(blank=True, default="", max_length=300, upload_to=queueing.models.input_path),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="entry",
            name="input_name",
            field=models.CharField(blank=True, default="", max_length=200),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="entry",
            name="input_type",
            field=models.CharField(blank=True, default="", max_length=100),
            preserve_default=False,
        ),
        migrations.RunPython(move_inputs),
        migrations.AlterField(
            model_name="entryfile",
            name="attempt",
            field=models.PositiveSmallIntegerField(),
        ),
    ]
