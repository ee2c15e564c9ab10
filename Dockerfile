# One image for web, worker, keeper and migrations; docker-compose.yml sets the command of each.
FROM python:3.13-slim-trixie

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app

# Install packages before copying the code: they change less often, so this layer stays cached. Every package has a
# wheel, so no compiler is needed.
COPY requirements.txt .
RUN pip install --no-cache-dir --no-deps --only-binary :all: --require-hashes -r requirements.txt

COPY . .

# The site writes to /srv/media and /tmp only. A new volume mounted at /srv/media takes over the owner set here; Python
# imports nothing from there. The key of this step signs nothing, and is not kept.
RUN useradd --system --uid 10001 --no-create-home queue \
    && WITHOUT_SECRET_KEY=1 python manage.py collectstatic --no-input --verbosity 0 \
    && mkdir -p /srv/media \
    && chown -R queue: var /srv/media
USER queue

EXPOSE 8000
