// Shows /openapi.json with the viewer that the page names.
"use strict";

const place = document.getElementById("api");
if (place.dataset.viewer === "swagger") {
  SwaggerUIBundle({ url: "/openapi.json", domNode: place, deepLinking: true, persistAuthorization: false });
} else {
  Redoc.init("/openapi.json", { disableSearch: false, hideDownloadButton: false }, place);
}
