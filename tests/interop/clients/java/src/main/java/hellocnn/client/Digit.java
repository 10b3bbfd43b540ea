package hellocnn.client;

import com.google.protobuf.ByteString;
import hellocnn.v1.ClassifierServiceOuterClass.Image;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.GZIPInputStream;

/** A digit of MNIST's test set as an image of the API, and the digit that it shows. */
record Digit(Image image, int label) {
  private static final int IMAGE_SIDE = 32; // what the network reads
  private static final int DIGIT_SIDE = 28; // what MNIST has

  /** Reads the first {@code count} digits. */
  static List<Digit> read(Path folder, int count) throws IOException {
    byte[] pixels = readGzip(folder.resolve("t10k-images-idx3-ubyte.gz"));
    byte[] labels = readGzip(folder.resolve("t10k-labels-idx1-ubyte.gz"));
    List<Digit> digits = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      byte[] padded = pad(pixels, 16 + i * DIGIT_SIDE * DIGIT_SIDE);
      Image image = Image.newBuilder().setGray8(ByteString.copyFrom(padded)).build();
      digits.add(new Digit(image, labels[8 + i]));
    }
    return digits;
  }

  /** Puts a black border around the 28x28 grey levels at {@code start}, which makes 32x32 of them. */
  private static byte[] pad(byte[] grey, int start) {
    int border = (IMAGE_SIDE - DIGIT_SIDE) / 2;
    byte[] padded = new byte[IMAGE_SIDE * IMAGE_SIDE];
    for (int row = 0; row < DIGIT_SIDE; row++) {
      int to = (row + border) * IMAGE_SIDE + border;
      System.arraycopy(grey, start + row * DIGIT_SIDE, padded, to, DIGIT_SIDE);
    }
    return padded;
  }

  private static byte[] readGzip(Path path) throws IOException {
    try (InputStream in = new GZIPInputStream(Files.newInputStream(path))) {
      return in.readAllBytes();
    }
  }
}
