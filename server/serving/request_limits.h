// The limits of a request. Clients read them from GetModel.
#ifndef HELLOCNN_SERVER_SERVING_REQUEST_LIMITS_H_
#define HELLOCNN_SERVER_SERVING_REQUEST_LIMITS_H_

namespace hellocnn::server {

struct RequestLimits {
  int max_images_per_request = 0;
  int max_batch_size = 0;     // images
  int queue_capacity = 0;     // images
  int max_message_bytes = 0;  // of a request
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SERVING_REQUEST_LIMITS_H_
