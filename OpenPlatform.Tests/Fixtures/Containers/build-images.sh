#!/bin/sh
# Builds images named like the public ones from the programs of this machine, because tests reach no registry:
# build-images.sh FOLDER-OF-POSTGRES-BINARIES POSTGRES-IMAGE REDIS-IMAGE
set -eu
binaries=$(dirname "$(readlink -f "$1/postgres")") postgres_image=$2 redis_image=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

. "$(dirname "$0")/add.sh"

base() {
  mkdir -p "$1/bin" "$1/etc" "$1/tmp" "$1/data"
  add "$1" "$(readlink -f /bin/sh)"
  cp -L /bin/sh "$1/bin/sh"
  chmod 1777 "$1/tmp"
  printf 'root:x:0:0::/:/bin/sh\npostgres:x:999:999::/tmp:/bin/sh\n' > "$1/etc/passwd"
}

base "$work/redis"
mkdir -p "$work/redis/usr/bin"
for program in redis-server redis-cli; do
  add "$work/redis" "$(readlink -f "$(command -v $program)")"
  cp -L "$(command -v $program)" "$work/redis/usr/bin/$program"
done
cat > "$work/redis/Dockerfile" <<'DOCKERFILE'
FROM scratch
COPY . /
VOLUME /data
WORKDIR /data
CMD ["redis-server"]
DOCKERFILE
docker build -q -t "$redis_image" "$work/redis"

base "$work/postgres"
library=$(dirname "$binaries")/lib
share=/usr/share/postgresql/$(basename "$(dirname "$binaries")")
[ -d "$share" ] || share=$(dirname "$binaries")/share
add "$work/postgres" "$binaries/postgres" "$binaries/initdb" "$(command -v setpriv)" "$(command -v mkdir)" "$(command -v chown)" "$(command -v chmod)"
for module in plpgsql dict_snowball libpqwalreceiver; do
  add "$work/postgres" "$library/$module.so"
done
mkdir -p "$work/postgres$share" "$work/postgres/usr/lib/locale" "$work/postgres/usr/share" "$work/postgres/opt"
cp -rL "$share/." "$work/postgres$share"
cp -rL /usr/lib/locale/C.utf8 "$work/postgres/usr/lib/locale/" 2>/dev/null || true
cp -rL /usr/share/zoneinfo "$work/postgres/usr/share/"
ln -s "$binaries" "$work/postgres/opt/postgres"
mkdir -p "$work/postgres/usr/bin"
if [ -e "$binaries/pg_isready" ]; then # an embedded build has none
  add "$work/postgres" "$binaries/pg_isready"
  ln -s "$binaries/pg_isready" "$work/postgres/usr/bin/pg_isready"
fi

# What the public image does at its first start, as far as an application model relies on it.
cat > "$work/postgres/entrypoint" <<'ENTRYPOINT'
#!/bin/sh
set -e
data=/var/lib/postgresql/data
mkdir -p "$data"
chown -R 999:999 /var/lib/postgresql
chmod 700 "$data"
as_postgres="setpriv --reuid=999 --regid=999 --clear-groups"
if [ ! -e "$data/PG_VERSION" ]; then
  [ -z "$POSTGRES_PASSWORD_FILE" ] || read -r POSTGRES_PASSWORD < "$POSTGRES_PASSWORD_FILE" || :
  echo "$POSTGRES_PASSWORD" > /tmp/password
  chown 999 /tmp/password
  $as_postgres /opt/postgres/initdb -D "$data" -U "${POSTGRES_USER:-postgres}" --pwfile=/tmp/password -E UTF8 --locale=C.UTF-8 --no-sync $POSTGRES_INITDB_ARGS
  echo "host all all all ${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >> "$data/pg_hba.conf"
  for script in /docker-entrypoint-initdb.d/*.sql; do
    [ ! -e "$script" ] || $as_postgres /opt/postgres/postgres --single -D "$data" postgres < "$script"
  done
fi
exec $as_postgres /opt/postgres/postgres -D "$data" -c listen_addresses='*' -c unix_socket_directories=/tmp "$@"
ENTRYPOINT
chmod +x "$work/postgres/entrypoint"
cat > "$work/postgres/Dockerfile" <<'DOCKERFILE'
FROM scratch
COPY . /
VOLUME /var/lib/postgresql
STOPSIGNAL SIGINT
ENTRYPOINT ["/entrypoint"]
DOCKERFILE
docker build -q -t "$postgres_image" "$work/postgres"
