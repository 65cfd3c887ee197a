# For scripts that build images from the programs of this machine: add ROOT FILE...
# Copies the files and the libraries they load to the same paths below ROOT.
add() {
  root=$1
  shift
  for file in "$@"; do
    for path in "$file" $(ldd "$file" 2>/dev/null | grep -o '/[^ ]*'); do
      mkdir -p "$root$(dirname "$path")"
      [ -e "$root$path" ] || cp -L "$path" "$root$path"
    done
  done
}
