using System.Buffers;
using System.Globalization;
using System.Text.Json;

namespace OpenPlatform.Catalog.Webhooks;

/// <summary>CloudEvents 1.0, structured JSON.</summary>
internal static class CloudEvent
{
    public const string ContentType = "application/cloudevents+json";

    /// <param name="data">JSON, as it was emitted.</param>
    public static byte[] ToJson(string source, Guid id, string type, string subject, DateTimeOffset time, string data)
    {
        var buffer = new ArrayBufferWriter<byte>(512 + data.Length);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("specversion", "1.0");
            json.WriteString("id", id);
            json.WriteString("source", source);
            json.WriteString("type", type);
            json.WriteString("subject", subject);
            json.WriteString("time", time.UtcDateTime.ToString("O", CultureInfo.InvariantCulture));
            json.WriteString("datacontenttype", "application/json");
            json.WritePropertyName("data");
            json.WriteRawValue(data);
            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }
}
