// zod would compile its checks with `new Function`, which the page's Content-Security-Policy forbids. It decides while
// schemas are made, so this module is imported before everything that makes some.
import { config } from "zod/v4/core";

config({ jitless: true });
