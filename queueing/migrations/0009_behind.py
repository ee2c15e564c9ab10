from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('queueing', '0008_stored'),
    ]

    operations = [
        migrations.AddField(
            model_name='entry',
            name='behind',
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.RemoveIndex(
            model_name='entry',
            name='entry_waiting',
        ),
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(condition=models.Q(('status', 'waiting')), fields=['queue', 'address'], name='entry_waiting'),
        ),
    ]
