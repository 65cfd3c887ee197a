#!/bin/sh
# Builds the images that no program of the platform is in, from the programs of this machine, because tests reach no registry:
# build-service-base.sh DOTNET-ROOT RUNTIME-VERSION ASPNET-IMAGE HAPROXY-IMAGE
set -eu
dotnet=$1 version=$2 aspnet_image=$3 haproxy_image=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

. "$(dirname "$0")/add.sh"

base() {
  mkdir -p "$1/etc" "$1/tmp"
  chmod 1777 "$1/tmp"
  printf 'root:x:0:0::/:/bin/sh\napp:x:1654:1654::/tmp:/bin/sh\n' > "$1/etc/passwd"
}

base "$work/aspnet"
framework=$dotnet/shared/Microsoft.NETCore.App/$version
mkdir -p "$work/aspnet$dotnet/host/fxr" "$work/aspnet$dotnet/shared/Microsoft.NETCore.App" "$work/aspnet$dotnet/shared/Microsoft.AspNetCore.App" "$work/aspnet/usr/bin" "$work/aspnet/usr/share" "$work/aspnet/etc/ssl"
cp -L "$dotnet/dotnet" "$work/aspnet$dotnet/"
cp -r "$dotnet/host/fxr/$version" "$work/aspnet$dotnet/host/fxr/"
cp -r "$framework" "$work/aspnet$dotnet/shared/Microsoft.NETCore.App/"
cp -r "$dotnet/shared/Microsoft.AspNetCore.App/$version" "$work/aspnet$dotnet/shared/Microsoft.AspNetCore.App/"
ln -s "$dotnet/dotnet" "$work/aspnet/usr/bin/dotnet"
add "$work/aspnet" "$dotnet/dotnet" "$framework"/*.so $(ldconfig -p | grep -o '/[^ ]*/lib\(ssl\|crypto\)\.so\.3' | sort -u)
cp -rL /usr/share/zoneinfo "$work/aspnet/usr/share/" 2>/dev/null || true
cp -rL /etc/ssl/certs "$work/aspnet/etc/ssl/" 2>/dev/null || true
# The home of its user belongs to it, as in the public images: volumes that are mounted there do too.
mkdir -p "$work/image/home"
mv "$work/aspnet" "$work/image/root"
cat > "$work/image/Dockerfile" <<DOCKERFILE
FROM scratch
COPY root /
COPY --chown=1654:1654 home /home/app
ENV APP_UID=1654 ASPNETCORE_HTTP_PORTS=8080 DOTNET_RUNNING_IN_CONTAINER=true DOTNET_VERSION=$version ASPNET_VERSION=$version PATH=/usr/bin:/bin
DOCKERFILE
docker build -q -t "$aspnet_image" "$work/image"

base "$work/haproxy"
mkdir -p "$work/haproxy/usr/bin" "$work/haproxy/etc/haproxy"
add "$work/haproxy" "$(command -v haproxy || echo /usr/sbin/haproxy)"
ln -s "$(command -v haproxy || echo /usr/sbin/haproxy)" "$work/haproxy/usr/bin/haproxy"
cat > "$work/haproxy/Dockerfile" <<'DOCKERFILE'
FROM scratch
COPY . /
ENV PATH=/usr/bin:/usr/sbin
USER 1654
DOCKERFILE
docker build -q -t "$haproxy_image" "$work/haproxy"
