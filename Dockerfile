# One image for web, worker, keeper and migrations; docker-compose.yml gives each its command.
FROM python:3.13-slim-trixie

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app

# Packages first: they change less often than the code, and every one of them comes as a wheel.
COPY requirements.txt .
RUN pip install --no-cache-dir --no-deps --only-binary :all: --require-hashes -r requirements.txt

COPY . .

# var/ is what the site writes; a volume mounted at var/media takes over the owner from here.
RUN useradd --system --uid 10001 --no-create-home queue \
    && SECRET_KEY=not-kept python manage.py collectstatic --no-input --verbosity 0 \
    && mkdir -p var/media \
    && chown -R queue: var
USER queue

EXPOSE 8000
