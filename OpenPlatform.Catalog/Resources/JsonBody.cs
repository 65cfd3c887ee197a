using System.Buffers;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.Extensions.Options;

namespace OpenPlatform.Catalog.Resources;

/// <summary>A body of JSON that is small enough to be made at once: it has a length, and leaves together with the header.</summary>
internal static class JsonBody
{
    /// <summary>Bytes; a buffer that had to grow beyond is not kept.</summary>
    private const int MostKept = 64 * 1024;

    [ThreadStatic]
    private static Scratch? s_scratch;

    public static Task WriteAsync<T>(HttpContext context, T value)
    {
        var response = context.Response;
        var scratch = s_scratch ?? new();
        s_scratch = null; // a value that cannot be written leaves it half full
        JsonSerializer.Serialize(scratch.Json, value, context.RequestServices.GetRequiredService<IOptions<JsonOptions>>().Value.SerializerOptions);
        response.ContentType = "application/json; charset=utf-8";
        response.ContentLength = scratch.Bytes.WrittenCount;
        response.BodyWriter.Write(scratch.Bytes.WrittenSpan);
        if (scratch.Bytes.Capacity <= MostKept)
        {
            scratch.Bytes.ResetWrittenCount();
            scratch.Json.Reset();
            s_scratch = scratch;
        }

        return response.BodyWriter.FlushAsync(context.RequestAborted).AsTask();
    }

    private sealed class Scratch
    {
        public Scratch() => Json = new(Bytes);

        public ArrayBufferWriter<byte> Bytes { get; } = new(1024);

        public Utf8JsonWriter Json { get; }
    }
}
