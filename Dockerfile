# The function as an image: one static binary and what it needs to run as
# `nobody` without a network, a /tmp or anything else.
#
#   docker build -t flux-image .
#   docker buildx build --platform linux/amd64,linux/arm64 -t flux-image .
#
# Every stage is of the platform that is asked for: a builder of another one needs
# its emulation, or a node of that platform.
FROM rust:1-alpine AS build
RUN apk add --no-cache build-base ca-certificates linux-headers
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin flux-image \
 && mkdir -p /out/etc/ssl/certs \
 && cp target/release/flux-image /out/flux-image \
 && cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/
RUN cp docker/passwd docker/group /out/etc/

FROM scratch
LABEL org.opencontainers.image.title="flux-image" \
      org.opencontainers.image.description="Flux's image automation as a function, without a cluster" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/ /
USER nobody
ENTRYPOINT ["/flux-image"]
