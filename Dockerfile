# Images of the server, of its command line and of the load generator. Each has its programs, the libraries that they load and
# the data that they read: no shell, no package manager, nothing to build with.
#
#   docker build --target slim     -t hellocnn-server .         the server; serves with its SIMD engine
#   docker build --target server   -t hellocnn-server:torch .   with LibTorch's engines too, and ten times as large
#   docker build --target client   -t hellocnn-client .
#   docker build --target loadtest -t hellocnn-loadtest .
#   docker build --target models   -t hellocnn-models:1 .       models alone, which Kubernetes mounts
#
# Nothing here names a processor: what is built on amd64 or arm64 runs there. docs/operations.md tells how to run them.

# What scripts/install-deps.sh installs, in a layer of its own: it changes seldom.
FROM debian:trixie-slim AS dependencies
COPY scripts/install-deps.sh /src/scripts/
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt/lists,sharing=locked \
    rm -f /etc/apt/apt.conf.d/docker-clean && /src/scripts/install-deps.sh

FROM dependencies AS build
WORKDIR /src
COPY CMakeLists.txt CMakePresets.json ./
COPY cmake cmake
COPY protos protos
COPY base base
COPY hellocnn hellocnn
COPY client client
COPY datasets datasets
COPY loadgen loadgen
COPY cli cli
COPY server server
RUN --mount=type=cache,target=/root/.cache/ccache \
    cmake --preset release -DHELLOCNN_BUILD_TESTS=OFF -DHELLOCNN_BUILD_BENCHMARKS=OFF -DHELLOCNN_PRECOMPILE_HEADERS=OFF --log-level=NOTICE && \
    cmake --build --preset release --target hellocnn hellocnn-server && \
    strip build/release/bin/hellocnn build/release/bin/hellocnn-server build/release/lib/hellocnn/hellocnn-torch.so

# The root file systems: programs, libraries, users, licences and the list of what is in them.
FROM build AS client-root
COPY deploy/image/make-root.sh deploy/image/
RUN deploy/image/make-root.sh /root-fs build/release/bin/hellocnn

FROM build AS server-root
COPY deploy/image/make-root.sh deploy/image/
RUN deploy/image/make-root.sh /root-fs build/release/bin/hellocnn-server build/release/bin/hellocnn \
    build/release/lib/hellocnn/hellocnn-torch.so

FROM build AS slim-root
COPY deploy/image/make-root.sh deploy/image/
RUN deploy/image/make-root.sh /root-fs build/release/bin/hellocnn-server build/release/bin/hellocnn

# What all images have in common. BuildKit gives the labels below their values; the version is CMakeLists.txt's.
FROM scratch AS base
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.vendor="HelloCNN Serving" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="scratch"
USER 65532:65532
WORKDIR /
STOPSIGNAL SIGTERM

# The command line.
FROM base AS client
LABEL org.opencontainers.image.title="hellocnn-client" \
      org.opencontainers.image.description="Command line of the HelloCNN inference service"
COPY --from=client-root /root-fs /
ENTRYPOINT ["/usr/bin/hellocnn"]
CMD ["--help"]

# The command line with MNIST's test digits, and load on HELLOCNN_SERVER as its default command.
FROM client AS loadtest
LABEL org.opencontainers.image.title="hellocnn-loadtest" \
      org.opencontainers.image.description="Load generator of the HelloCNN inference service, with MNIST's test digits"
COPY data/mnist-test /data/mnist-test
EXPOSE 9465
# On which it prints what it has measured until then.
STOPSIGNAL SIGINT
CMD ["load", "--data", "/data/mnist-test", "--prometheus-listen", "[::]:9465"]

# What is in models/, a repository, and nothing that runs.
FROM scratch AS models
ARG REVISION=unknown
LABEL org.opencontainers.image.vendor="HelloCNN Serving" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.title="hellocnn-models" \
      org.opencontainers.image.description="Models of the HelloCNN inference service"
COPY models /

# What both servers have in common: the model, and how to run.
FROM base AS serving
LABEL org.opencontainers.image.title="hellocnn-server"
COPY models/mnist/2 /models/mnist/2
ENV HELLOCNN_LISTEN=[::]:8500 HELLOCNN_METRICS_LISTEN=[::]:9464 HELLOCNN_MODEL=/models/mnist/2
EXPOSE 8500 9464
# Asks 127.0.0.1:8500. With another port in --listen, set HELLOCNN_SERVER to it.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["/usr/bin/hellocnn", "health", "--timeout", "2s"]
ENTRYPOINT ["/usr/bin/hellocnn-server"]

# The server with the LibTorch engines beside its own.
FROM serving AS server
LABEL org.opencontainers.image.description="HelloCNN inference service over gRPC, with its model and LibTorch"
COPY --from=server-root /root-fs /

# The server without LibTorch. The last stage, so that it is what `docker build .` makes.
FROM serving AS slim
LABEL org.opencontainers.image.description="HelloCNN inference service over gRPC, with its model"
COPY --from=slim-root /root-fs /
