"""All migrations up to 0015 as one, for a new site: it applies this one alone.

A site that has applied some of them goes on with the others, one by one; for one that has applied all, this one counts
as applied. Made by `makemigrations` from the models, since a new site has no rows for the two functions in 0002 and 0004.
"""

import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import django.utils.timezone
import queueing.models
import queueing.values
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [
        ('queueing', '0001_initial'),
        ('queueing', '0002_entry_input'),
        ('queueing', '0003_reason_ended'),
        ('queueing', '0004_seen_and_place'),
        ('queueing', '0005_indexes'),
        ('queueing', '0006_end_seen'),
        ('queueing', '0007_address'),
        ('queueing', '0008_stored'),
        ('queueing', '0009_behind'),
        ('queueing', '0010_line'),
        ('queueing', '0011_line_minute'),
        ('queueing', '0012_staff'),
        ('queueing', '0013_line_event'),
        ('queueing', '0014_traceparent'),
        ('queueing', '0015_enqueue'),
    ]

    initial = True

    dependencies = [
        # Of the permissions and groups that are made after each `migrate`, of this app alone, too.
        ('auth', '0012_alter_user_first_name_max_length'),
        ('contenttypes', '0002_remove_content_type_name'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='LineMemory',
            fields=[
                ('id', models.SmallAutoField(primary_key=True, serialize=False)),
                ('queue', models.CharField(max_length=100, unique=True)),
                ('columns', models.JSONField(default=dict)),
                ('packed', models.BinaryField(default=bytes)),
                ('open_at', models.DateTimeField(null=True)),
                ('open_columns', models.JSONField(default=dict)),
                ('open_packed', models.BinaryField(default=bytes)),
                ('sampled', models.DateTimeField(null=True)),
                ('rolled_up_to', models.DateTimeField(null=True)),
                ('notes_written', models.PositiveIntegerField(default=0)),
                ('last_note', models.CharField(blank=True, max_length=64)),
            ],
            options={
                'verbose_name_plural': 'line memories',
            },
        ),
        migrations.CreateModel(
            name='Entry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('queue', models.CharField(max_length=100)),
                ('task_path', models.CharField(max_length=200)),
                ('args', models.JSONField(decoder=queueing.values.Decoder, default=list, encoder=queueing.values.Encoder)),
                ('kwargs', models.JSONField(decoder=queueing.values.Decoder, default=dict, encoder=queueing.values.Encoder)),
                ('backend', models.CharField(db_default='default', default='default', max_length=100)),
                ('not_before', models.DateTimeField(blank=True, null=True)),
                ('input', models.FileField(blank=True, max_length=300, upload_to=queueing.models.input_path)),
                ('input_name', models.CharField(blank=True, max_length=200)),
                ('input_type', models.CharField(blank=True, max_length=100)),
                ('input_size', models.PositiveBigIntegerField(default=0, editable=False)),
                ('input_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('priority', models.SmallIntegerField(default=0)),
                ('behind', models.BooleanField(db_default=False, default=False, editable=False)),
                ('visitor', models.UUIDField(blank=True, db_index=True, null=True)),
                ('address', models.CharField(blank=True, editable=False, max_length=16)),
                ('slot', models.PositiveSmallIntegerField(editable=False, null=True)),
                ('traceparent', models.CharField(blank=True, db_default='', default='', editable=False, max_length=55)),
                ('needs_presence', models.BooleanField(default=True)),
                ('seen_at', models.DateTimeField(blank=True, null=True)),
                ('place', models.BigIntegerField(blank=True, editable=False, null=True)),
                ('moved_from', models.BigIntegerField(blank=True, editable=False, null=True)),
                ('keep_seconds', models.PositiveIntegerField(blank=True, null=True)),
                ('status', models.CharField(choices=[('waiting', 'Waiting'), ('running', 'Running'), ('succeeded', 'Succeeded'), ('failed', 'Failed'), ('cancelled', 'Cancelled'), ('abandoned', 'Abandoned')], default='waiting', max_length=10)),
                ('reason', models.CharField(blank=True, choices=[('', 'None'), ('left', 'The visitor left the line or stopped the task'), ('ended', 'Staff ended it'), ('unseen', 'The page was never opened'), ('closed', 'The page was closed for longer than CLOSE_GRACE'), ('lost', 'The connection was lost for longer than LOST_GRACE'), ('unusable', 'The task could not use the input'), ('error', 'The task raised an exception'), ('timeout', 'The task ran out of time'), ('crashed', 'The task crashed its process'), ('orphaned', 'The worker died in mid-task')], default='', max_length=10)),
                ('joined_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('last_attempted_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('end_seen_at', models.DateTimeField(blank=True, null=True)),
                ('run_time', models.DurationField(blank=True, null=True)),
                ('lost_time', models.DurationField(blank=True, null=True)),
                ('attempt', models.PositiveSmallIntegerField(default=0)),
                ('retries', models.PositiveSmallIntegerField(db_default=0, default=0, editable=False)),
                ('worker_ids', models.JSONField(blank=True, default=list)),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('progress', models.FloatField(blank=True, null=True)),
                ('counted', models.SmallIntegerField(choices=[(0, 'Nothing'), (1, 'Join'), (2, 'Start'), (3, 'End'), (4, 'Worth')], db_default=0, default=0, editable=False)),
                ('message', models.CharField(blank=True, max_length=300)),
                ('result', models.JSONField(blank=True, null=True)),
                ('files_size', models.PositiveBigIntegerField(default=0, editable=False)),
                ('error_class', models.CharField(blank=True, max_length=200)),
                ('traceback', models.TextField(blank=True)),
                ('erased_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('followed_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='follows', to='queueing.entry')),
                ('user', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name_plural': 'entries',
                'permissions': [('view_entry_content', 'Can see inputs, results and files of entries')],
            },
        ),
        migrations.CreateModel(
            name='EntryEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('kind', models.CharField(choices=[('held', 'Held'), ('back', 'Back in place'), ('started', 'Started'), ('progress', 'Progress'), ('orphaned', 'Worker died'), ('kept', 'Asked to keep the place'), ('restored', 'Place restored'), ('staff', 'By staff'), ('retried', 'To be tried again')], max_length=10)),
                ('detail', models.CharField(blank=True, max_length=200)),
                ('times', models.PositiveIntegerField(default=1)),
                ('entry', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='events', to='queueing.entry')),
            ],
            options={
                'ordering': ['at', 'id'],
            },
        ),
        migrations.CreateModel(
            name='EntryFile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('attempt', models.PositiveSmallIntegerField()),
                ('name', models.CharField(max_length=200)),
                ('content_type', models.CharField(max_length=100)),
                ('size', models.PositiveBigIntegerField()),
                ('file', models.FileField(max_length=300, upload_to=queueing.models.file_path)),
                ('entry', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='files', to='queueing.entry')),
            ],
        ),
        migrations.CreateModel(
            name='Line',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('queue', models.CharField(editable=False, max_length=100, unique=True, verbose_name='line')),
                ('state', models.CharField(choices=[('open', 'Open'), ('closed', 'Closed: nobody joins'), ('paused', 'Paused: nothing is started'), ('stopped', 'Stopped: nobody joins, nothing is started')], default='open', max_length=10)),
                ('sentence', models.CharField(blank=True, help_text='Shown to all who wait in this line, and on its form.', max_length=300)),
                ('opens_at', models.DateTimeField(blank=True, help_text='Of a closed line: when it opens, by itself. The form says so.', null=True)),
                ('draining', models.BooleanField(default=False, help_text='Of a closed line: say when it is empty.', verbose_name='drain')),
                ('emptied_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='empty since')),
                ('max_line', models.PositiveIntegerField(blank=True, help_text='Entries that may wait. Empty: the setting MAX_LINE.', null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='longest line')),
                ('max_per_visitor', models.PositiveIntegerField(blank=True, help_text='Places in this line that one visitor may hold. Empty: as many as MAX_WAITING_PER_VISITOR allows in all lines.', null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='places per visitor')),
                ('max_starts', models.PositiveIntegerField(blank=True, help_text='Empty: as many as the workers can start.', null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='starts per minute')),
                ('max_running', models.PositiveIntegerField(blank=True, help_text='Empty: as many as there are workers.', null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='most running at once')),
            ],
            options={
                'ordering': ['queue'],
                'constraints': [models.CheckConstraint(condition=models.Q(('max_line__gte', 1), ('max_line', None), _connector='OR'), name='line_max_line'), models.CheckConstraint(condition=models.Q(('max_per_visitor__gte', 1), ('max_per_visitor', None), _connector='OR'), name='line_max_per_visitor'), models.CheckConstraint(condition=models.Q(('max_starts__gte', 1), ('max_starts', None), _connector='OR'), name='line_max_starts'), models.CheckConstraint(condition=models.Q(('max_running__gte', 1), ('max_running', None), _connector='OR'), name='line_max_running')],
            },
        ),
        migrations.CreateModel(
            name='LineEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('queue', models.CharField(max_length=100)),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('kind', models.CharField(choices=[('deployed', 'New code or settings'), ('paused', 'Paused'), ('resumed', 'Resumed'), ('closed', 'Closed'), ('opened', 'Opened'), ('suspended', 'All workers paused'), ('unsuspended', 'All workers resumed'), ('flushed', 'Redis empty or another server')], max_length=12)),
                ('detail', models.CharField(blank=True, max_length=200)),
            ],
            options={
                'ordering': ['at', 'id'],
                'indexes': [models.Index(fields=['queue', 'at'], name='line_event')],
            },
        ),
        migrations.CreateModel(
            name='LineMinute',
            fields=[
                ('pk', models.CompositePrimaryKey('line', 'at', blank=True, editable=False, primary_key=True, serialize=False)),
                ('at', models.DateTimeField()),
                ('joined', models.IntegerField(default=0)),
                ('started', models.IntegerField(default=0)),
                ('succeeded', models.IntegerField(default=0)),
                ('failed', models.IntegerField(default=0)),
                ('gone', models.IntegerField(default=0)),
                ('present', models.IntegerField(default=0)),
                ('held', models.IntegerField(default=0)),
                ('running', models.IntegerField(default=0)),
                ('workers', models.IntegerField(default=0)),
                ('span', models.SmallIntegerField(default=1)),
                ('samples', models.SmallIntegerField(default=0)),
                ('packed', models.BinaryField(default=bytes)),
                ('line', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='minutes', to='queueing.linememory')),
            ],
        ),
        # In the order in which they were made one by one: of two that fit, SQLite takes the later one.
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(condition=models.Q(('status', 'running')), fields=['lease_until'], name='entry_running'),
        ),
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(fields=['queue', 'finished_at'], name='entry_finished'),
        ),
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(condition=models.Q(('status', 'running')), fields=['queue'], name='entry_running_queue'),
        ),
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(condition=models.Q(('status', 'succeeded')), fields=['queue', 'finished_at'], name='entry_succeeded'),
        ),
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(fields=['finished_at'], name='entry_finished_at'),
        ),
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(condition=models.Q(('input__gt', '')), fields=['input'], name='entry_input'),
        ),
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(condition=models.Q(('input__gt', '')), fields=['input_until'], name='entry_input_until'),
        ),
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(fields=['address'], name='entry_address'),
        ),
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(condition=models.Q(('input_size__gt', 0), ('files_size__gt', 0), _connector='OR'), fields=['queue'], name='entry_stored'),
        ),
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(condition=models.Q(('status', 'waiting')), fields=['queue', 'address'], name='entry_waiting'),
        ),
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(condition=models.Q(('counted__lt', 1), models.Q(('counted__lt', 2), ('started_at__isnull', False)), models.Q(('counted__lt', 3), ('finished_at__isnull', False)), models.Q(('counted__lt', 4), ('end_seen_at__isnull', False)), _connector='OR'), fields=['queue'], name='entry_not_counted'),
        ),
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(condition=models.Q(('status__in', ['failed', 'cancelled', 'abandoned'])), fields=['status', '-id'], name='entry_unsuccessful'),
        ),
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(condition=models.Q(('reason__gt', '')), fields=['reason', '-id'], name='entry_reason'),
        ),
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(condition=models.Q(('attempt__gt', 1)), fields=['-id'], name='entry_retried'),
        ),
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(condition=models.Q(('not_before__isnull', False), ('status', 'waiting')), fields=['not_before'], name='entry_put_off'),
        ),
        migrations.AddConstraint(
            model_name='entry',
            constraint=models.UniqueConstraint(condition=models.Q(('status__in', ['waiting', 'running'])), fields=('visitor', 'slot'), name='entry_slot'),
        ),
        migrations.AddConstraint(
            model_name='entryfile',
            constraint=models.UniqueConstraint(fields=('entry', 'attempt', 'name'), name='entryfile_name'),
        ),
    ]
