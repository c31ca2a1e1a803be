// SPDX-License-Identifier: Apache-2.0
// Built without npm: passwords go as they are, over TLS.
