using System.Buffers;
using System.IO.Pipelines;
using Google.Protobuf;
using OpenPlatform.Hosting.Dashboard;
using OpenPlatform.Hosting.Dashboard.Wire;

namespace OpenPlatform.Tests.Hosting.Dashboard;

/// <summary>Frames of requests, well formed and not.</summary>
public sealed class GrpcFramesTests
{
    private static readonly byte[] Request = new ResourceCommandRequest { ResourceName = "orders-1", CommandName = "stop" }.ToByteArray();

    [Fact]
    public async Task A_message_comes_out_as_it_went_in_however_it_is_cut()
    {
        byte[] frame = [0, 0, 0, 0, (byte)Request.Length, .. Request];
        for (var cut = 0; cut <= frame.Length; cut++)
        {
            var pipe = new Pipe();
            var reading = GrpcFrames.ReadAsync(pipe.Reader, ResourceCommandRequest.Parser, Cancel);
            await pipe.Writer.WriteAsync(frame.AsMemory(0, cut), Cancel);
            await pipe.Writer.WriteAsync(frame.AsMemory(cut), Cancel);
            Assert.Equal(("orders-1", "stop"), ((await reading).ResourceName, (await reading).CommandName));
        }
    }

    [Theory]
    [InlineData((int)GrpcStatus.Unimplemented, new byte[] { 1, 0, 0, 0, 0 })]
    [InlineData((int)GrpcStatus.ResourceExhausted, new byte[] { 0, 0, 1, 0, 1 })]
    [InlineData((int)GrpcStatus.ResourceExhausted, new byte[] { 0, 255, 255, 255, 255 })]
    [InlineData((int)GrpcStatus.InvalidArgument, new byte[] { 0, 0, 0, 0, 2, 0x0a, 9 })]
    [InlineData((int)GrpcStatus.InvalidArgument, new byte[] { 0, 0, 0, 0, 9, 1 })]
    [InlineData((int)GrpcStatus.InvalidArgument, new byte[] { 0, 0 })]
    public async Task What_is_no_request_has_a_status(int status, byte[] body)
    {
        var error = await Assert.ThrowsAsync<GrpcException>(() => GrpcFrames.ReadAsync(PipeReader.Create(new ReadOnlySequence<byte>(body)), ResourceCommandRequest.Parser, Cancel));
        Assert.Equal(status, (int)error.Status);
    }

    [Fact]
    public async Task Any_bytes_are_a_request_or_a_status()
    {
        var random = new Random(11);
        for (var run = 0; run < 20_000; run++)
        {
            byte[] bytes = [0, 0, 0, 0, (byte)Request.Length, .. Request];
            for (var change = random.Next(5); change > 0; change--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }
            try
            {
                await GrpcFrames.ReadAsync(PipeReader.Create(new ReadOnlySequence<byte>(bytes, 0, random.Next(bytes.Length + 1))), ResourceCommandRequest.Parser, Cancel);
            }
            catch (GrpcException)
            {
                // The one error there is.
            }
        }
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;
}
