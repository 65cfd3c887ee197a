#!/bin/sh
# Makes the secrets of this deployment. Values that exist are kept; what services are given is made of them anew.
set -eu
cd "$(dirname "$0")"
mkdir -p secrets/values
chmod 700 secrets        # the files in it are readable, because containers do not run as you

# value NAME: letters and digits, about 256 bits; 43 of them and a '=' are also the base64 of 32 bytes.
value() {
  [ -s "secrets/values/$1" ] || LC_ALL=C tr -dc 'A-Za-z0-9' < /dev/urandom | head -c 43 > "secrets/values/$1"
}

value db-password; DB_PASSWORD=$(cat secrets/values/db-password)
value cache-password; CACHE_PASSWORD=$(cat secrets/values/cache-password)
value api-token; API_TOKEN=$(cat secrets/values/api-token)

mkdir -p secrets/db
printf %s "${DB_PASSWORD}" > secrets/db/POSTGRES_PASSWORD

mkdir -p secrets/cache
printf %s "${CACHE_PASSWORD}" > secrets/cache/REDIS_PASSWORD

mkdir -p secrets/api
printf %s "${CACHE_PASSWORD}" > secrets/api/CACHE_PASSWORD
printf %s "redis://:${CACHE_PASSWORD}@cache:6379" > secrets/api/CACHE_URI
printf %s "cache:6379,password=${CACHE_PASSWORD}" > secrets/api/ConnectionStrings__cache
printf %s "Host=db;Port=5432;Username=postgres;Password=${DB_PASSWORD};Database=shopdb" > secrets/api/ConnectionStrings__shopdb
printf %s "${DB_PASSWORD}" > secrets/api/SHOPDB_PASSWORD
printf %s "postgresql://postgres:${DB_PASSWORD}@db:5432/shopdb" > secrets/api/SHOPDB_URI
printf %s "${API_TOKEN}" > secrets/api/TOKEN
