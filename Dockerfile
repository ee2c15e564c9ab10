# One image for web, worker, keeper and migrations; docker-compose.yml sets the command of each.
FROM python:3.13-slim-trixie

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app

# Install packages before copying the code: they change less often, so this layer stays cached. Every package has a
# wheel, so no compiler is needed.
COPY requirements.txt .
RUN pip install --no-cache-dir --no-deps --only-binary :all: --require-hashes -r requirements.txt

COPY . .

# The site writes to var/ only. A new volume mounted at var/media takes over the owner set here.
RUN useradd --system --uid 10001 --no-create-home queue \
    && SECRET_KEY=not-kept python manage.py collectstatic --no-input --verbosity 0 \
    && mkdir -p var/media \
    && chown -R queue: var
USER queue

EXPOSE 8000
