package hellocnn.client;

import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;

import com.google.common.util.concurrent.ListenableFuture;
import com.google.protobuf.ByteString;
import hellocnn.v1.ClassifierServiceGrpc;
import hellocnn.v1.ClassifierServiceGrpc.ClassifierServiceBlockingV2Stub;
import hellocnn.v1.ClassifierServiceOuterClass.ClassifyRequest;
import hellocnn.v1.ClassifierServiceOuterClass.ClassifyResponse;
import hellocnn.v1.ClassifierServiceOuterClass.ClassifyStreamRequest;
import hellocnn.v1.ClassifierServiceOuterClass.ClassifyStreamResponse;
import hellocnn.v1.ClassifierServiceOuterClass.GetModelRequest;
import hellocnn.v1.ClassifierServiceOuterClass.GetModelResponse;
import hellocnn.v1.ClassifierServiceOuterClass.Image;
import hellocnn.v1.ClassifierServiceOuterClass.Layer;
import hellocnn.v1.ClassifierServiceOuterClass.Model;
import hellocnn.v1.ClassifierServiceOuterClass.Prediction;
import io.grpc.Channel;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.stub.BlockingClientCall;
import io.grpc.stub.MetadataUtils;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;

/**
 * Calls a HelloCNN server in every way that its API has, and checks the responses. Prints a line for
 * each case, and exits with 1 if one failed.
 */
public final class Client {
  private static final int STREAM_LENGTH = 500;

  private interface Case {
    void run() throws Exception;
  }

  private final Channel channel;
  private final List<Digit> digits;
  private final boolean inflates;

  private Client(Channel channel, List<Digit> digits, boolean inflates) {
    this.channel = channel;
    this.digits = digits;
    this.inflates = inflates;
  }

  private ClassifierServiceBlockingV2Stub service() {
    return ClassifierServiceGrpc.newBlockingV2Stub(channel).withDeadlineAfter(60, SECONDS);
  }

  private HealthGrpc.HealthBlockingV2Stub health() {
    return HealthGrpc.newBlockingV2Stub(channel).withDeadlineAfter(60, SECONDS);
  }

  private ClassifyRequest request(int count) {
    ClassifyRequest.Builder request = ClassifyRequest.newBuilder();
    for (int i = 0; i < count; i++) {
      request.addImages(digits.get(i % digits.size()).image());
    }
    return request.build();
  }

  private static ClassifyRequest grey(byte[] pixels) {
    Image image = Image.newBuilder().setGray8(ByteString.copyFrom(pixels)).build();
    return ClassifyRequest.newBuilder().addImages(image).build();
  }

  private GetModelResponse describe() throws StatusException {
    return service().getModel(GetModelRequest.getDefaultInstance());
  }

  private static void check(boolean condition, Object message) {
    if (!condition) {
      throw new AssertionError(message);
    }
  }

  /** Calls, and returns the error, which must have the code. */
  private static StatusException expect(Status.Code code, Callable<?> call) throws Exception {
    try {
      call.call();
    } catch (StatusException error) {
      check(error.getStatus().getCode() == code, "wanted " + code + ", got " + error.getStatus());
      return error;
    }
    throw new AssertionError("wanted " + code + ", got a response");
  }

  /** As many must be right as the model card promises. */
  private void checkAccuracy(long right, int count) throws StatusException {
    double promised = describe().getModel().getTestAccuracy();
    check(
        promised > 0.9 && (double) right / count >= promised,
        right + " of " + count + " are right, and the model card says " + promised);
  }

  private void classify(ClassifierServiceBlockingV2Stub stub, int count) throws StatusException {
    ClassifyResponse response = stub.classify(request(count));
    check(response.getPredictionsCount() == count, response.getPredictionsCount());
    int right = 0;
    for (int i = 0; i < count; i++) {
      right += response.getPredictions(i).getClassIndex() == digits.get(i).label() ? 1 : 0;
    }
    checkAccuracy(right, count);
  }

  private void oneImage() throws StatusException {
    Digit digit = digits.get(0);
    ClassifierServiceBlockingV2Stub service = ClassifierServiceGrpc.newBlockingV2Stub(channel);
    ClassifyRequest request = ClassifyRequest.newBuilder().addImages(digit.image()).build();
    ClassifyResponse response = service.withDeadlineAfter(10, SECONDS).classify(request);
    Prediction prediction = response.getPredictions(0);
    check(prediction.getLabel().equals(String.valueOf(digit.label())), prediction);
    double sum = prediction.getLogProbabilitiesList().stream().mapToDouble(Math::exp).sum();
    check(Math.abs(sum - 1) < 1e-5, "probabilities sum to " + sum);
  }

  private void manyImages() throws StatusException {
    classify(service(), 64);
  }

  /** Sends from a thread of its own, and reads meanwhile: a write waits while the server does not read. */
  private void stream() throws Exception {
    BlockingClientCall<ClassifyStreamRequest, ClassifyStreamResponse> call = service().classifyStream();
    Thread sender =
        new Thread(
            () -> {
              try {
                for (int i = 0; i < digits.size(); i++) {
                  Image image = digits.get(i).image();
                  call.write(ClassifyStreamRequest.newBuilder().setId(i).addImages(image).build());
                }
                call.halfClose();
              } catch (InterruptedException | StatusException error) {
                call.cancel("cannot send", error); // read() below throws
              }
            });
    sender.start();
    Map<Integer, Integer> classes = new HashMap<>();
    for (ClassifyStreamResponse response; (response = call.read()) != null; ) {
      check(response.hasResult(), response);
      classes.put((int) response.getId(), response.getResult().getPredictions(0).getClassIndex());
    }
    sender.join();
    check(classes.size() == digits.size(), classes.size() + " responses");
    long right = classes.entrySet().stream().filter(e -> digits.get(e.getKey()).label() == e.getValue()).count();
    checkAccuracy(right, classes.size());
  }

  private void model() throws StatusException {
    Model model = describe().getModel();
    long parameters = model.getLayersList().stream().mapToLong(Layer::getParameterCount).sum();
    check(model.getVersion().getName().equals("mnist") && model.getClassLabelsCount() == 10, model);
    check(parameters == model.getParameterCount(), model);
  }

  private void healthCheck() throws Exception {
    for (String name : List.of("", "hellocnn.v1.ClassifierService")) {
      HealthCheckRequest request = HealthCheckRequest.newBuilder().setService(name).build();
      check(health().check(request).getStatus() == ServingStatus.SERVING, name);
    }
    HealthCheckRequest unknown = HealthCheckRequest.newBuilder().setService("no.such.Service").build();
    expect(Status.Code.NOT_FOUND, () -> health().check(unknown));
  }

  private void healthWatch() throws Exception {
    BlockingClientCall<?, HealthCheckResponse> watch = health().watch(HealthCheckRequest.getDefaultInstance());
    check(watch.read().getStatus() == ServingStatus.SERVING, "not serving");
    watch.cancel("seen enough", null);
    expect(Status.Code.CANCELLED, watch::read);
  }

  private void wrongSize() throws Exception {
    StatusException error = expect(Status.Code.INVALID_ARGUMENT, () -> service().classify(grey(new byte[1000])));
    check(error.getStatus().getDescription().contains("1024"), error);
  }

  /** Asks for as much as the server takes, which it cannot compute in time. */
  private void deadline() throws Exception {
    ClassifyRequest request = request(describe().getLimits().getMaxImagesPerRequest());
    expect(Status.Code.DEADLINE_EXCEEDED, () -> service().withDeadlineAfter(1, MILLISECONDS).classify(request));
  }

  private void cancellation() throws Exception {
    BlockingClientCall<ClassifyStreamRequest, ClassifyStreamResponse> call = service().classifyStream();
    call.write(ClassifyStreamRequest.newBuilder().setId(1).addImages(digits.get(0).image()).build());
    check(call.read() != null, "no response");
    call.cancel("seen enough", null);
    expect(Status.Code.CANCELLED, call::read);
    classify(service(), 1); // on the same connection
  }

  private void gzip() throws Exception {
    ClassifierServiceBlockingV2Stub compressing = service().withCompression("gzip");
    if (inflates) {
      classify(compressing, 64);
    } else {
      expect(Status.Code.UNIMPLEMENTED, () -> compressing.classify(request(64)));
    }
  }

  /** Sends some that the server does not know and must not mind. */
  private void metadata() throws StatusException {
    Metadata metadata = new Metadata();
    metadata.put(Metadata.Key.of("x-request-id", Metadata.ASCII_STRING_MARSHALLER), "java-1");
    byte[] trace = {0, 1, (byte) 0xfe, (byte) 0xff, ','};
    metadata.put(Metadata.Key.of("x-trace-bin", Metadata.BINARY_BYTE_MARSHALLER), trace);
    metadata.put(Metadata.Key.of("x-large", Metadata.ASCII_STRING_MARSHALLER), "m".repeat(4000));
    classify(service().withInterceptors(MetadataUtils.newAttachHeadersInterceptor(metadata)), 1);
  }

  private void tooLarge() throws Exception {
    ClassifyRequest large = grey(new byte[describe().getLimits().getMaxMessageBytes()]);
    expect(Status.Code.RESOURCE_EXHAUSTED, () -> service().classify(large));
    classify(service(), 1); // on the same connection
  }

  /** Sends more at once than the queue holds. Rejected calls are told when to retry. */
  private void overload() throws Exception {
    ClassifyRequest request = request(describe().getLimits().getMaxImagesPerRequest());
    int count = 16;
    List<ListenableFuture<ClassifyResponse>> calls = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      calls.add(ClassifierServiceGrpc.newFutureStub(channel).withDeadlineAfter(60, SECONDS).classify(request));
    }
    Metadata.Key<String> pushback = Metadata.Key.of("grpc-retry-pushback-ms", Metadata.ASCII_STRING_MARSHALLER);
    int rejected = 0;
    for (ListenableFuture<ClassifyResponse> call : calls) {
      try {
        call.get();
      } catch (ExecutionException error) {
        rejected++;
        Status status = Status.fromThrowable(error);
        check(status.getCode() == Status.Code.RESOURCE_EXHAUSTED, status);
        check(Status.trailersFromThrowable(error).containsKey(pushback), "no time to retry");
      }
    }
    check(0 < rejected && rejected < count, rejected + " of " + count + " calls were rejected");
  }

  private int run() {
    Map<String, Case> cases = new LinkedHashMap<>();
    cases.put("health check", this::healthCheck);
    cases.put("one image", this::oneImage);
    cases.put("64 images", this::manyImages);
    cases.put("stream", this::stream);
    cases.put("model", this::model);
    cases.put("health watch", this::healthWatch);
    cases.put("wrong size", this::wrongSize);
    cases.put("deadline", this::deadline);
    cases.put("cancellation", this::cancellation);
    cases.put("gzip", this::gzip);
    cases.put("metadata", this::metadata);
    cases.put("too large", this::tooLarge);
    cases.put("overload", this::overload);
    int failed = 0;
    for (Map.Entry<String, Case> entry : cases.entrySet()) {
      try {
        entry.getValue().run();
        System.out.println("ok " + entry.getKey());
      } catch (Exception | AssertionError error) {
        failed++;
        System.out.println("failed " + entry.getKey() + ": " + error.toString().replaceAll("\\s+", " "));
      }
    }
    return failed == 0 ? 0 : 1;
  }

  public static void main(String[] arguments) throws Exception {
    Options options = new Options(List.of(arguments));
    List<Digit> digits = Digit.read(Path.of(options.get("--data", "data/mnist-test")), STREAM_LENGTH);
    ManagedChannel channel = options.connect();
    int status;
    try {
      status = new Client(options.withToken(channel), digits, !options.has("--no-gzip")).run();
    } finally {
      channel.shutdownNow().awaitTermination(10, SECONDS);
    }
    System.exit(status);
  }
}
