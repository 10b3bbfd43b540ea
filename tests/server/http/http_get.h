// A connection to an HTTP server on loopback, for tests that look at the bytes.
#ifndef HELLOCNN_TESTS_SERVER_HTTP_HTTP_GET_H_
#define HELLOCNN_TESTS_SERVER_HTTP_HTTP_GET_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>

namespace hellocnn::server {

class HttpConnection {
 public:
  explicit HttpConnection(int port) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    connected_ =
        connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~HttpConnection() { close(socket_); }
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  bool connected() const { return connected_; }
  // What the server may refuse to read, when it has had enough.
  void Send(const std::string& bytes) const {
    send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  // Until the server closes.
  std::string ReadAll() const {
    std::string answer;
    char buffer[4096];
    for (ssize_t n; (n = recv(socket_, buffer, sizeof(buffer), 0)) > 0;) {
      answer.append(buffer, static_cast<std::size_t>(n));
    }
    return answer;
  }

 private:
  const int socket_;
  bool connected_ = false;
};

// The whole answer; "" if nobody listens.
inline std::string Request(int port, const std::string& method, const std::string& path) {
  const HttpConnection connection(port);
  if (!connection.connected()) return "";
  connection.Send(method + " " + path +
                  " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  return connection.ReadAll();
}

}  // namespace hellocnn::server

#endif  // HELLOCNN_TESTS_SERVER_HTTP_HTTP_GET_H_
