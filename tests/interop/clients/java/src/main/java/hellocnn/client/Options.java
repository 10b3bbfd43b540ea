package hellocnn.client;

import io.grpc.Channel;
import io.grpc.ChannelCredentials;
import io.grpc.ClientInterceptors;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.TlsChannelCredentials;
import io.grpc.okhttp.OkHttpChannelBuilder;
import io.grpc.stub.MetadataUtils;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The options of the command line. */
final class Options {
  private static final Set<String> WITH_VALUE =
      Set.of(
          "--server", // its address
          "--data", // the folder with MNIST's test set
          "--ca", // the authority of the server's certificate; without it, there is no TLS
          "--cert", // a certificate of this client, with --key
          "--key",
          "--token-file"); // a token, for a server with access control
  private static final Set<String> ALONE =
      Set.of(
          "--no-gzip", // the server rejects compressed requests
          "--okhttp"); // the transport on OkHttp, as on Android, not Netty's

  private final Map<String, String> given = new HashMap<>();

  Options(List<String> words) {
    for (Iterator<String> word = words.iterator(); word.hasNext(); ) {
      String name = word.next();
      if (WITH_VALUE.contains(name) && word.hasNext()) {
        given.put(name, word.next());
      } else if (ALONE.contains(name)) {
        given.put(name, "");
      } else {
        throw new IllegalArgumentException("unknown option, or one without its value: " + name);
      }
    }
  }

  boolean has(String name) {
    return given.containsKey(name);
  }

  String get(String name, String otherwise) {
    return given.getOrDefault(name, otherwise);
  }

  ManagedChannel connect() throws IOException {
    String server = get("--server", "127.0.0.1:8500");
    return has("--okhttp")
        ? OkHttpChannelBuilder.forTarget(server, credentials()).build()
        : Grpc.newChannelBuilder(server, credentials()).build(); // Netty's
  }

  /** Returns the channel with the token in each call, if there is one. */
  Channel withToken(Channel channel) throws IOException {
    if (!has("--token-file")) {
      return channel;
    }
    String token = Files.readString(Path.of(given.get("--token-file"))).strip();
    Metadata metadata = new Metadata();
    metadata.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + token);
    return ClientInterceptors.intercept(channel, MetadataUtils.newAttachHeadersInterceptor(metadata));
  }

  private ChannelCredentials credentials() throws IOException {
    if (!has("--ca")) {
      return InsecureChannelCredentials.create();
    }
    TlsChannelCredentials.Builder tls = TlsChannelCredentials.newBuilder();
    tls.trustManager(new File(given.get("--ca")));
    if (has("--cert")) {
      tls.keyManager(new File(given.get("--cert")), new File(given.get("--key")));
    }
    return tls.build();
  }
}
