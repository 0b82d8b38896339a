import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

import genmem.arena.core.clock


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Competition",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("slug", models.SlugField(unique=True)),
                ("title", models.CharField(max_length=120)),
                ("rules", models.TextField(blank=True)),
                ("opens_at", models.DateTimeField()),
                ("closes_at", models.DateTimeField()),
                ("merge_until", models.DateTimeField()),
                (
                    "image_count",
                    models.PositiveIntegerField(
                        default=10000,
                        validators=[
                            django.core.validators.MinValueValidator(2),
                            django.core.validators.MaxValueValidator(1000000),
                        ],
                    ),
                ),
                (
                    "image_width",
                    models.PositiveIntegerField(
                        default=64,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(4096),
                        ],
                    ),
                ),
                (
                    "image_height",
                    models.PositiveIntegerField(
                        default=64,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(4096),
                        ],
                    ),
                ),
                ("image_formats", models.JSONField(default=list)),
                (
                    "daily_limit",
                    models.PositiveIntegerField(
                        default=5,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(1000),
                        ],
                    ),
                ),
                (
                    "final_count",
                    models.PositiveIntegerField(
                        default=2,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(100),
                        ],
                    ),
                ),
                (
                    "maximum_upload_bytes",
                    models.BigIntegerField(
                        default=500000000,
                        validators=[django.core.validators.MinValueValidator(1000)],
                    ),
                ),
                ("private_open", models.BooleanField(default=False)),
                ("accepts_images", models.BooleanField(default=True)),
                ("accepts_code", models.BooleanField(default=False)),
                (
                    "wall_seconds",
                    models.PositiveIntegerField(
                        default=32400,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(2592000),
                        ],
                    ),
                ),
                (
                    "memory_bytes",
                    models.BigIntegerField(
                        default=8589934592,
                        validators=[django.core.validators.MinValueValidator(67108864)],
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(default=genmem.arena.core.clock.now, editable=False),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Split",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("public", "Public"), ("private", "Private")], max_length=7
                    ),
                ),
                ("backbone", models.CharField(max_length=200)),
                ("weights", models.CharField(blank=True, max_length=1000)),
                ("train", models.CharField(max_length=1000)),
                ("reference", models.CharField(blank=True, max_length=1000)),
                ("tau", models.FloatField(default=0.1)),
                ("epsilon", models.FloatField(default=1e-15)),
                ("version", models.PositiveIntegerField()),
                (
                    "competition",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="splits",
                        to="competitions.competition",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("competition", "kind", "version"), name="one_split_per_version"
                    )
                ],
            },
        ),
    ]
