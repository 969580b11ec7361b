#!/bin/sh
# Updates the images of a checkout on the branch of its ImageUpdateAutomation, and
# pushes it. What others committed on that branch stays: the work goes on from there.
#
#   update-images.sh [ARGUMENT OF git push]…
#
# In the environment, each with its default:
#   BASE=main                  where a new branch starts
#   REMOTE=origin              where it is pushed
#   OUT=                       a folder that gets `branch`, `title` and `body.md` if
#                              something was pushed, for a pull request
#   FLUX_IMAGE_FLAGS=          more flags for `flux-image update`
set -eu

base=${BASE:-main} remote=${REMOTE:-origin}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: "${GIT_AUTHOR_NAME:=flux-image}" "${GIT_AUTHOR_EMAIL:=flux-image@localhost}"
: "${GIT_COMMITTER_NAME:=$GIT_AUTHOR_NAME}" "${GIT_COMMITTER_EMAIL:=$GIT_AUTHOR_EMAIL}"
export GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL

# Which branch it will be is told before anything is edited.
git fetch --quiet "$remote" "$base"
git switch --quiet --detach FETCH_HEAD
# shellcheck disable=SC2086 # flags are words
flux-image update --dry-run --branch-file "$work/branch" ${FLUX_IMAGE_FLAGS:-} >/dev/null
if [ ! -e "$work/branch" ]; then
  echo "all images are current"
  exit 0
fi
branch=$(cat "$work/branch")

# From the remote branch where there is one; its commit is what the lease is for.
before=$(git ls-remote "$remote" "refs/heads/$branch" | cut -f1)
if [ -n "$before" ]; then
  git fetch --quiet "$remote" "refs/heads/$branch"
  git switch --quiet --detach "$before"
fi

# shellcheck disable=SC2086
flux-image update --message-file "$work/message" -o markdown ${FLUX_IMAGE_FLAGS:-} >"$work/body.md"
if [ ! -e "$work/message" ]; then
  echo "$branch is current"
  exit 0
fi
git commit --quiet --all --file "$work/message"
# Nobody's commits are lost: where the branch has moved since, nothing is pushed.
git push --quiet "$@" --force-with-lease="refs/heads/$branch:$before" "$remote" "HEAD:refs/heads/$branch"
echo "pushed $branch"
if [ -n "${OUT:-}" ] && [ "$branch" != "$base" ]; then
  mkdir -p "$OUT"
  printf '%s\n' "$branch" >"$OUT/branch"
  head -n 1 "$work/message" >"$OUT/title"
  cp "$work/body.md" "$OUT/body.md"
fi
