using System.IO.Pipelines;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using OpenPlatform.Hosting.Cli;

namespace OpenPlatform.Tests.Hosting.Cli;

/// <summary>The other end of the back channel, as the command-line tool speaks.</summary>
internal sealed class RpcClient : IDisposable
{
    private readonly Socket _socket;
    private readonly PipeReader _input;
    private int _lastId;

    private RpcClient(Socket socket) => (_socket, _input) = (socket, PipeReader.Create(new NetworkStream(socket)));

    internal static async Task<RpcClient> ConnectAsync(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), TestContext.Current.CancellationToken);
        return new(socket);
    }

    internal async Task<JsonElement> CallAsync(string method, string parameters = "[]")
    {
        await SendAsync($$"""{"jsonrpc":"2.0","id":{{++_lastId}},"method":"{{method}}","params":{{parameters}}}""");
        return await ReceiveAsync();
    }

    internal Task SendAsync(string json) => SendRawAsync(JsonRpcFrames.Frame(Encoding.UTF8.GetBytes(json)));

    internal async Task SendRawAsync(ReadOnlyMemory<byte> bytes) => await _socket.SendAsync(bytes, TestContext.Current.CancellationToken);

    /// <exception cref="EndOfStreamException">The other side has closed the connection.</exception>
    internal async Task<JsonElement> ReceiveAsync()
    {
        while (true)
        {
            var read = await _input.ReadAsync(TestContext.Current.CancellationToken);
            var buffer = read.Buffer;
            if (JsonRpcFrames.TryTake(ref buffer, out var content))
            {
                using var message = JsonDocument.Parse(content);
                var copy = message.RootElement.Clone();
                _input.AdvanceTo(buffer.Start);
                return copy;
            }
            _input.AdvanceTo(buffer.Start, buffer.End);
            if (read.IsCompleted)
            {
                throw new EndOfStreamException();
            }
        }
    }

    public void Dispose() => _socket.Dispose();
}
